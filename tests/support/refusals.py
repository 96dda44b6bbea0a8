"""What every service refuses that is no matter of one operation: what cannot happen now, what it cannot read."""

from typing import ClassVar

import asyncpg
import httpx
from kernel.testing.fixtures import token

from tests.support.requests import Json, Requests, code_of
from tests.support.untouched import untouched


class Refusals:
    requests: ClassVar[Requests]
    # A record's way so far, the command that cannot follow, and the code that says so.
    impossible: ClassVar[tuple[list[str], str, str]]
    # An operation that changes a record which another makes.
    changes: ClassVar[str]

    async def test_what_cannot_happen_now_is_a_conflict(self, admin: httpx.AsyncClient, dsn: str) -> None:
        way, wanted, code = self.impossible
        record = await self.requests.record_for(admin, way[0])
        for step in way:
            assert (await self.requests.send(admin, step, record)).status_code == 200
        current = (await admin.get(self.requests.own_path(wanted, str(record)))).headers["ETag"]
        for headers in ({}, {"If-Match": current}):
            async with untouched(dsn):
                answer = await self.requests.send(admin, wanted, record, headers=headers)
                assert code_of(answer) == (409, code)

    async def test_what_a_newer_release_wrote_is_not_written_over(
        self, admin: httpx.AsyncClient, dsn: str
    ) -> None:
        record = await self.requests.record_for(admin, self.changes)
        connection = await asyncpg.connect(dsn)
        for said in ("type = 'SomethingNew'", "type = kind, schema_version = 99"):
            # The name is kept beside, so that only one thing is new at a time.
            kind = await connection.fetchval(
                "SELECT type FROM events WHERE stream_id = $1 AND version = 1", record
            )
            await connection.execute(
                f"UPDATE events SET {said.replace('kind', repr(kind))} WHERE stream_id = $1 AND version = 1",
                record,
            )
            async with untouched(dsn):
                answer = await self.requests.send(admin, self.changes, record)
                assert code_of(answer) == (503, "LOG_NEWER_THAN_CODE")
                assert answer.headers["Retry-After"] == "1"
        await connection.close()

    async def test_an_altered_place_in_the_feed_is_refused(self, admin: httpx.AsyncClient, dsn: str) -> None:
        cursor = (await admin.get("/v1/feed", params={"limit": 1})).headers["Feed-Cursor"]
        async with untouched(dsn):
            for wrong in ("B" + cursor[1:] if cursor[0] == "A" else "A" + cursor[1:], cursor[:-3], "é"):
                answer = await admin.get("/v1/feed", params={"last_event_id": wrong})
                assert code_of(answer) == (400, "CURSOR_INVALID")

    async def test_a_batch_is_refused_as_a_whole_only_for_its_form(
        self, admin: httpx.AsyncClient, dsn: str
    ) -> None:
        async def post(content: bytes, **headers: str) -> tuple[int, str]:
            said = {"Content-Type": "application/json", **headers}
            return code_of(await admin.post("/v1/batch", content=content, headers=said))

        items: list[Json] = [{"command": "no.such", "data": {}, "idempotency_key": "12345678"}]
        async with untouched(dsn):
            assert await post(b'{"items": [') == (400, "MALFORMED_JSON")
            assert await post(b'{"items": []}') == (422, "VALIDATION_FAILED")
            assert await post(b'{"items": "' + b"x" * 16 * 1024 * 1024 + b'"}') == (413, "BODY_TOO_LARGE")
            assert await post(b"{}", Authorization="") == (401, "UNAUTHENTICATED")
            late = f"Bearer {token(lifetime=-1)}"
            assert await post(b"{}", Authorization=late) == (401, "TOKEN_EXPIRED")
            answer = await admin.post("/v1/batch", json={"items": items})
            assert answer.status_code == 207
            assert answer.json()["items"][0]["problem"]["code"] == "VALIDATION_FAILED"
