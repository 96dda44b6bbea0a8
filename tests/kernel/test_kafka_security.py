"""A Kafka that asks who is there: every client of ours says it, and what cannot work is refused in one sentence."""

import logging
import ssl
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from kernel.messaging.kafka import BrokerTrouble, Cluster, new_consumer
from kernel.messaging.kafka_publisher import KafkaPublisher
from kernel.messaging.kafka_source import KafkaSource
from kernel.messaging.sources import Bookmarks
from kernel.messaging.topics import Admin, ensure_topics
from kernel.runtime.broker import KafkaBroker
from kernel.runtime.settings import KafkaSecurity, KafkaSettings, SaslMechanism
from kernel.testing.servers import temporary_folder
from pydantic import ValidationError

from tests.kernel.kafka_examples import AT, chain

NAME, PASSWORD = "guanxi", "open-sesame"
SAID = {"kafka_sasl_username": NAME, "kafka_sasl_password": PASSWORD}


@pytest.fixture(scope="module")
def guarded_kafka(kafka_libs: Path) -> Iterator[KafkaBroker]:
    with (
        temporary_folder() as folder,
        KafkaBroker(Path(folder), libs=kafka_libs, users={NAME: PASSWORD}) as it,
    ):
        yield it


@pytest.mark.kafka
@pytest.mark.parametrize("mechanism", [SaslMechanism.PLAIN, SaslMechanism.SCRAM_SHA_512])
async def test_with_the_right_password_records_pass(
    guarded_kafka: KafkaBroker, mechanism: SaslMechanism
) -> None:
    cluster, topic = known_as(guarded_kafka, mechanism, PASSWORD), f"crm.test-{uuid4().hex}.v1"
    await ensure_topics(cluster, [topic], 1)
    publisher, source = KafkaPublisher(cluster, topic), KafkaSource("contacts", cluster, topic)
    try:
        await publisher.open()
        await publisher.send(chain([1, 2]))
        await source.seek(Bookmarks())
        assert len((await source.fetch()).entries) == 2
    finally:
        await publisher.abandon()
        await source.close()


@pytest.mark.kafka
@pytest.mark.parametrize("mechanism", [SaslMechanism.PLAIN, SaslMechanism.SCRAM_SHA_512])
async def test_with_a_wrong_password_nothing_passes_and_nobody_reads_it(
    guarded_kafka: KafkaBroker, mechanism: SaslMechanism, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    cluster = known_as(guarded_kafka, mechanism, "abracadabra")
    publisher = KafkaPublisher(cluster, "crm.contacts.v1")
    with pytest.raises(BrokerTrouble, match="Unable to bootstrap") as refused:
        await publisher.open()
    await publisher.abandon()
    assert "Authentication failed" in caplog.text
    assert "abracadabra" not in f"{refused.value!r} {cluster!r} {caplog.text}"


@pytest.mark.kafka
async def test_whoever_says_nothing_is_not_let_in(guarded_kafka: KafkaBroker) -> None:
    with pytest.raises((BrokerTrouble, TimeoutError)):
        await ensure_topics(Cluster(guarded_kafka.secured), ["crm.contacts.v1"], 1)


async def test_the_settings_reach_every_client(tmp_path: Path) -> None:
    said = {
        "kafka_bootstrap": "one:9093,two:9093",
        "kafka_security_protocol": "SASL_SSL",
        "kafka_ca_file": authority(tmp_path),
        "kafka_sasl_mechanism": "SCRAM-SHA-512",
    }
    settings = KafkaSettings.model_validate(said | SAID)
    cluster = Cluster.of(settings)
    producer = KafkaPublisher(cluster, "crm.contacts.v1")._new_producer()
    consumer = new_consumer(cluster)
    # They were never started, and would complain that nobody stops them.
    producer._closed = consumer._closed = True
    for client in (consumer._client, producer.client, Admin(**cluster.client())._client):
        assert client._bootstrap_servers == "one:9093,two:9093"
        assert client._security_protocol == "SASL_SSL"
        assert client._ssl_context.verify_mode is ssl.CERT_REQUIRED
        assert client._ssl_context.check_hostname
        assert len(client._ssl_context.get_ca_certs()) == 1
        assert client._sasl_mechanism == "SCRAM-SHA-512"
        assert (client._sasl_plain_username, client._sasl_plain_password) == (NAME, PASSWORD)
    assert PASSWORD not in repr(settings) + repr(cluster)


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        (
            {"kafka_security_protocol": "SASL_SSL"},
            "needs CRM_KAFKA_SASL_USERNAME and CRM_KAFKA_SASL_PASSWORD",
        ),
        ({"kafka_security_protocol": "SASL_PLAINTEXT", "kafka_sasl_username": NAME}, "needs CRM_KAFKA_SASL_"),
        (SAID, "CRM_KAFKA_SECURITY_PROTOCOL=PLAINTEXT uses no CRM_KAFKA_SASL_"),
        ({"kafka_security_protocol": "SSL", "kafka_sasl_mechanism": "PLAIN"}, "=SSL uses no CRM_KAFKA_SASL_"),
        (
            {"kafka_security_protocol": "SASL_PLAINTEXT", "kafka_ca_file": "ca.pem", **SAID},
            "uses no CRM_KAFKA_CA_",
        ),
        ({"kafka_ca_file": "ca.pem"}, "uses no CRM_KAFKA_CA_FILE; SSL and SASL_SSL do"),
        ({"kafka_security_protocol": "TLS"}, "'PLAINTEXT', 'SSL', 'SASL_PLAINTEXT' or 'SASL_SSL'"),
        ({"kafka_sasl_mechanism": "GSSAPI"}, "'PLAIN', 'SCRAM-SHA-256' or 'SCRAM-SHA-512'"),
    ],
)
def test_what_does_not_fit_together_is_refused(said: dict[str, str], sentence: str) -> None:
    with pytest.raises(ValidationError) as refused:
        KafkaSettings.model_validate(said)
    (error,) = refused.value.errors()
    assert sentence in error["msg"]
    assert PASSWORD not in error["msg"]


def authority(folder: Path) -> Path:
    """One that has signed nobody but itself."""
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name.from_rfc4514_string("CN=authority")
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), 1, AT, AT + timedelta(days=9999))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = folder / "authority.pem"
    file.write_bytes(certificate.public_bytes(Encoding.PEM))
    return file


def known_as(broker: KafkaBroker, mechanism: SaslMechanism, password: str) -> Cluster:
    return Cluster(
        broker.secured,
        KafkaSecurity.SASL_PLAINTEXT,
        mechanism=mechanism,
        username=NAME,
        password=password,
    )
