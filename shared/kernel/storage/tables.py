"""The kernel's tables, the same in every service's database; read models attach themselves to the same metadata."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Identity,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}
Instant = DateTime(timezone=True)
# Rows that are updated in place keep room on their page, so that an update stays there (HOT).
ROOMY = {"fillfactor": "70"}


def service_metadata() -> MetaData:
    metadata = MetaData(naming_convention=NAMING)
    _log(metadata)
    _commands(metadata)
    _publishing(metadata)
    _following(metadata)
    return metadata


def analytics_metadata() -> MetaData:
    """A service whose own log is what it heard from the others."""
    metadata = service_metadata()
    Table(
        "received",
        metadata,
        Column("position", BigInteger, Identity(always=True), primary_key=True),
        Column("source", Text, nullable=False),
        Column("incarnation", Uuid, nullable=False),
        Column("source_position", BigInteger, nullable=False),
        Column("event_id", Uuid, nullable=False),
        Column("stream_id", Uuid, nullable=False),
        Column("version", Integer, nullable=False),
        Column("type", Text, nullable=False),
        Column("data", JSONB, nullable=False),
        Column("occurred_at", Instant, nullable=False),
        Column("recorded_at", Instant, nullable=False),
        Column("received_at", Instant, nullable=False, server_default=text("clock_timestamp()")),
        UniqueConstraint("source", "incarnation", "source_position"),
        Index(None, "stream_id", "position"),
    )
    Table(
        "withdrawn",
        metadata,
        Column("position", BigInteger, nullable=False),
        Column("source", Text, nullable=False),
        Column("incarnation", Uuid, nullable=False),
        Column("from_position", BigInteger, nullable=False),
        Column("counting", ARRAY(Uuid), nullable=False),
        PrimaryKeyConstraint("source", "incarnation"),
    )
    return metadata


def _log(metadata: MetaData) -> None:
    Table(
        "events",
        metadata,
        Column("position", BigInteger, Identity(always=True, cache=1), primary_key=True),
        Column("stream_id", Uuid, nullable=False),
        Column("version", Integer, nullable=False),
        Column("event_id", Uuid, nullable=False, unique=True),
        Column("type", Text, nullable=False),
        Column("schema_version", SmallInteger, nullable=False),
        Column("data", JSONB, nullable=False),
        Column("personal", JSONB),
        Column("personal_digest", LargeBinary),
        Column("meta", JSONB, nullable=False),
        Column("occurred_at", Instant, nullable=False),
        Column("recorded_at", Instant, nullable=False, server_default=text("clock_timestamp()")),
        UniqueConstraint("stream_id", "version"),
    )
    Table(
        "streams",
        metadata,
        Column("stream_id", Uuid, primary_key=True),
        Column("category", Text, nullable=False),
        Column("version", Integer, nullable=False),
        # What a load of the stream weighs, so that a batch can stay under its limit before it loads.
        Column("bytes", BigInteger, nullable=False),
        postgresql_with=ROOMY,
    )
    Table(
        "log_digests",
        metadata,
        Column("position", BigInteger, primary_key=True),
        Column("digest", LargeBinary, nullable=False),
        Column("created_at", Instant, nullable=False, server_default=text("clock_timestamp()")),
    )
    Table(
        "incarnations",
        metadata,
        Column("id", Uuid, primary_key=True),
        Column("from_position", BigInteger, nullable=False),
        Column("partitions", Integer, nullable=False),
        Column("system_identifier", BigInteger, nullable=False),
        Column("timeline", Integer, nullable=False),
        Column("created_at", Instant, nullable=False, server_default=text("clock_timestamp()")),
    )


def _commands(metadata: MetaData) -> None:
    Table(
        "idempotency",
        metadata,
        Column("principal", Text),
        Column("key", Text),
        Column("fingerprint", LargeBinary, nullable=False),
        Column("command_id", Uuid, nullable=False),
        Column("status", SmallInteger, nullable=False),
        Column("stream_id", Uuid, nullable=False),
        Column("version", Integer, nullable=False),
        Column("created_at", Instant, nullable=False, server_default=text("clock_timestamp()")),
        PrimaryKeyConstraint("principal", "key"),
        Index(None, "created_at"),
    )
    Table(
        "unique_values",
        metadata,
        Column("kind", Text),
        Column("digest", LargeBinary),
        Column("stream_id", Uuid, nullable=False, index=True),
        PrimaryKeyConstraint("kind", "digest"),
    )
    Table(
        "person_keys",
        metadata,
        Column("person_id", Uuid, primary_key=True),
        Column("wrapped_key", LargeBinary),
        Column("created_at", Instant, nullable=False, server_default=text("clock_timestamp()")),
        Column("shredded_at", Instant),
    )
    Table(
        "timers",
        metadata,
        Column("stream_id", Uuid),
        Column("kind", Text),
        Column("category", Text, nullable=False),
        Column("due_at", Instant, nullable=False),
        Column("attempts", Integer, nullable=False, server_default=text("0")),
        Column("next_try_at", Instant, nullable=False, index=True),
        PrimaryKeyConstraint("stream_id", "kind"),
        postgresql_with=ROOMY,
    )
    Table(
        "views",
        metadata,
        Column("name", Text),
        Column("version", Integer),
        # Which columns the version's table has; a process reads and writes only shapes it knows.
        Column("shape", Integer, nullable=False),
        # What else the rows depend on, such as the time zone of the days in them.
        Column("parameters", Text, nullable=False, server_default=text("''")),
        Column("live", Boolean, nullable=False),
        Column("epoch", BigInteger, nullable=False),
        PrimaryKeyConstraint("name", "version"),
    )


def _publishing(metadata: MetaData) -> None:
    Table(
        "leases",
        metadata,
        Column("name", Text, primary_key=True),
        Column("epoch", BigInteger, nullable=False),
        Column("holder", Text, nullable=False),
        Column("until", Instant, nullable=False),
        postgresql_with=ROOMY,
    )
    Table(
        "published_types",
        metadata,
        Column("type", Text, primary_key=True),
        Column("from_position", BigInteger, nullable=False),
    )
    Table(
        "relay",
        metadata,
        Column("topic", Text, primary_key=True),
        Column("incarnation", Uuid, nullable=False),
        Column("position", BigInteger, nullable=False),
        Column("event_id", Uuid),
        Column("partitions", JSONB, nullable=False),
        postgresql_with=ROOMY,
    )


def _following(metadata: MetaData) -> None:
    Table(
        "checkpoints",
        metadata,
        Column("follower", Text),
        Column("version", Integer),
        Column("source", Text),
        Column("partition", Integer),
        Column("incarnation", Uuid, nullable=False),
        Column("position", BigInteger, nullable=False),
        Column("kafka_offset", BigInteger),
        # The time up to which the source says the partition is complete, in the source's clock.
        Column("complete_at", Instant),
        Column("updated_at", Instant, nullable=False, server_default=text("clock_timestamp()")),
        PrimaryKeyConstraint("follower", "version", "source", "partition"),
        postgresql_with=ROOMY,
    )
    Table(
        "parked",
        metadata,
        Column("follower", Text),
        Column("version", Integer),
        Column("source", Text),
        Column("incarnation", Uuid),
        Column("stream_id", Uuid),
        Column("position", BigInteger),
        Column("error", Text, nullable=False),
        Column("parked_at", Instant, nullable=False, server_default=text("clock_timestamp()")),
        PrimaryKeyConstraint("follower", "version", "source", "incarnation", "stream_id", "position"),
    )
