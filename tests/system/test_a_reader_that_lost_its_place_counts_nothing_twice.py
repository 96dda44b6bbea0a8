"""Analytics reads everything again from the first record on: it must know what it has."""

from datetime import UTC, datetime
from uuid import UUID

import pytest
from kernel.runtime.embedded import EmbeddedPostgres

from tests.analytics.telling import Teller, analytics_database
from tests.analytics.worlds import pipeline_defined


@pytest.mark.xfail(
    strict=True, reason="a record that is stored already is refused, and so is its batch, for ever"
)
async def test_a_reader_that_lost_its_place_counts_nothing_twice(mortal_postgres: EmbeddedPostgres) -> None:
    url = await analytics_database(mortal_postgres, "crm_analytics")
    async with Teller(url) as teller:
        records = teller.records([[(pipeline_defined(UUID(int=1)), datetime(2025, 1, 1, tzinfo=UTC))]])
        await teller.hear(records)
        async with teller.database.driver() as connection:
            await connection.execute("DELETE FROM checkpoints")
        teller.trackers.clear()
        teller.bookmarks.clear()
        await teller.hear(records)
        assert await teller.position() == 1
