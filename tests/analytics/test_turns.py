"""Questions that take long are answered a few at a time, and whoever asks briefly does not wait for them."""

import asyncio
from random import Random

import httpx

from tests.analytics.streams import PIPELINES
from tests.analytics.telling import Teller
from tests.analytics.worlds import world

# The deals' days are counted anew from every state.
LONG = {"pipeline_id": str(PIPELINES[0]), "zone": "Asia/Kathmandu", "from": "2000-01-01", "to": "2100-01-01"}


async def test_many_long_questions_leave_room_for_a_short_one(
    teller: Teller, analyst: httpx.AsyncClient
) -> None:
    await teller.hear(teller.records(world(Random(1)).histories, Random(1)))
    async with teller.database.driver() as connection:
        async with connection.transaction():
            await connection.execute("LOCK TABLE deals_states_1 IN ACCESS EXCLUSIVE MODE")
            waiting = [asyncio.create_task(analyst.get("/v1/funnel", params=LONG)) for _ in range(5)]
            (refused,), held_up = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            short = await analyst.get("/v1/service")
        answers = await asyncio.gather(*held_up)
    assert short.status_code == 200
    assert (refused.result().status_code, refused.result().json()["code"]) == (503, "OVERLOADED")
    assert refused.result().headers["Retry-After"] == "1"
    assert [answer.status_code for answer in answers] == [200] * 4
    assert (await analyst.get("/v1/funnel", params=LONG)).status_code == 200
