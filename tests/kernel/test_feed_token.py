"""The token by which one service reads another's feed: asked for anew at each request, and loud when refused."""

from pathlib import Path

import httpx
import pytest
from kernel.messaging.feed_client import FeedClient
from kernel.runtime.embedded import EmbeddedPostgres
from kernel.runtime.settings import ServiceSettings
from kernel.testing.fixtures import make_settings, token
from prometheus_client import REGISTRY
from structlog.testing import capture_logs

from tests.kernel.notes import Notes, notes

NOWHERE = "postgresql://nobody@/nowhere"


async def test_a_token_in_a_file_is_read_again_when_it_is_renewed(
    postgres_server: EmbeddedPostgres, tmp_path: Path
) -> None:
    file = tmp_path / "token"
    file.write_text(token("service", lifetime=-60))
    settings = make_settings(NOWHERE, service_token="", service_token_file=file)
    async with notes(postgres_server, "", topic=False) as desk:
        await desk.write("one")
        client = reader(desk, settings)
        with capture_logs() as logs, pytest.raises(httpx.HTTPStatusError):
            await client.page(0, None)
        assert refusals(desk) == 1
        (said,) = [line for line in logs if line["event"] == "feed_refused"]
        assert (said["log_level"], said["source"], said["status"]) == ("error", desk.name, 401)

        file.write_text(token("service") + "\n")
        records, _ = await client.page(0, None)
        assert [record.data["text"] for record in records] == ["one"]
        assert refusals(desk) == 1
        await client.close()


async def test_a_token_in_the_settings_is_used_as_it_is(postgres_server: EmbeddedPostgres) -> None:
    async with notes(postgres_server, "", topic=False) as desk:
        await desk.write("one")
        client = reader(desk, make_settings(NOWHERE))
        records, _ = await client.page(0, None)
        assert len(records) == 1
        await client.close()


async def test_who_may_not_read_a_feed_is_counted_as_refused(postgres_server: EmbeddedPostgres) -> None:
    async with notes(postgres_server, "", topic=False) as desk:
        client = reader(desk, make_settings(NOWHERE, service_token=token("sales_rep")))
        with capture_logs() as logs, pytest.raises(httpx.HTTPStatusError):
            await client.page(0, None)
        assert [line["status"] for line in logs if line["event"] == "feed_refused"] == [403]
        assert refusals(desk) == 1
        await client.close()


def reader(desk: Notes, settings: ServiceSettings) -> FeedClient:
    """As a follower of these settings reads the desk's feed, without a server between."""
    client = FeedClient(desk.name, "http://notes", settings.current_service_token, wait=0.2)
    client._http._transport = httpx.ASGITransport(desk.app)
    return client


def refusals(desk: Notes) -> float | None:
    return REGISTRY.get_sample_value("crm_feed_refusals_total", {"source": desk.name})
