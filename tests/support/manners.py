"""What holds for every operation of every service: who may send it, what it must look like, what a repeat does.

A service's own file says in a subclass what there is to ask; the names of arguments choose among its operations.
"""

from collections.abc import AsyncIterator, Sequence
from typing import ClassVar

import httpx
import pytest
from kernel.testing.fixtures import api, new_key, token
from kernel.web.app import App

from tests.support.requests import LONG_AGO, UNKNOWN, Json, Requests, code_of
from tests.support.untouched import untouched

TOO_MUCH = b'{"padding": "' + b"x" * 512 * 1024 + b'"}'


class Manners:
    requests: ClassVar[Requests]
    # Roles that may send nothing at all.
    strangers: ClassVar[tuple[str, ...]] = ("analyst",)
    # Operations whose records have a timeline.
    timed: ClassVar[Sequence[str]]

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        ours = self.requests
        chosen = {
            "name": list(ours.operations),
            "creating": ours.creating,
            "changing": ours.changing,
            "matched": ours.matched,
            "versioned": list(dict.fromkeys([*ours.changing, *ours.matched])),
            "timed": self.timed,
        }
        for argument, names in chosen.items():
            if argument in metafunc.fixturenames:
                metafunc.parametrize(argument, names)

    def test_every_operation_has_an_example_and_is_open_to_batches(self, app: App) -> None:
        assert set(self.requests.examples) == set(self.requests.operations) == set(app.operations)

    async def test_it_succeeds_and_says_where_it_stands(self, admin: httpx.AsyncClient, name: str) -> None:
        answer = await self.send(admin, name, await self.record(admin, name))
        creates = name in self.requests.creating
        assert answer.status_code == (201 if creates else 200), answer.text
        made = answer.json()
        assert answer.headers["ETag"] == f'"v{made["version"]}"'
        assert answer.headers["Consistency-Token"]
        if creates:
            assert answer.headers["Location"] == f"{self.requests.path(name)}/{made['id']}"

    # Who

    async def test_without_a_token_it_is_refused(self, app: App, dsn: str, name: str) -> None:
        transport = httpx.ASGITransport(app)
        async with (
            httpx.AsyncClient(transport=transport, base_url="http://service") as nobody,
            untouched(dsn),
        ):
            answer = await self.send(nobody, name, UNKNOWN)
            assert code_of(answer) == (401, "UNAUTHENTICATED")
            assert answer.headers["WWW-Authenticate"] == "Bearer"
            expired = {"Authorization": f"Bearer {token(lifetime=-60)}"}
            assert code_of(await self.send(nobody, name, UNKNOWN, headers=expired)) == (401, "TOKEN_EXPIRED")
            forged = {"Authorization": f"Bearer {token()[:-9]}AAAAAAAAA"}
            assert code_of(await self.send(nobody, name, UNKNOWN, headers=forged)) == (401, "TOKEN_INVALID")

    async def test_of_the_wrong_roles_nobody_may_send_it(
        self, app: App, admin: httpx.AsyncClient, dsn: str, name: str
    ) -> None:
        record = await self.record(admin, name)
        for role in self.strangers:
            async with api(app, role) as stranger, untouched(dsn):
                assert code_of(await self.send(stranger, name, record)) == (403, "FORBIDDEN")

    # What it looks like

    async def test_an_unknown_id_is_not_found(
        self, admin: httpx.AsyncClient, dsn: str, changing: str
    ) -> None:
        async with untouched(dsn):
            answer = await self.send(admin, changing, UNKNOWN)
            assert code_of(answer) == (404, "NOT_FOUND")
            answer = await self.send(admin, changing, UNKNOWN, headers={"If-Match": '"v1"'})
            assert code_of(answer) == (404, "NOT_FOUND")

    async def test_what_is_not_json_is_malformed(self, admin: httpx.AsyncClient, dsn: str, name: str) -> None:
        headers = {"Content-Type": "application/json", "If-Match": '"v1"', **new_key()}
        method, path = self.requests.operations[name].method, self.requests.path(name)
        async with untouched(dsn):
            answer = await admin.request(method, path, content=b'{"name": ', headers=headers)
            assert code_of(answer) == (400, "MALFORMED_JSON")

    async def test_a_body_over_the_limit_is_too_large_whether_its_length_is_told_or_not(
        self, admin: httpx.AsyncClient, dsn: str, name: str
    ) -> None:
        async def in_parts() -> AsyncIterator[bytes]:
            yield TOO_MUCH[:1000]
            yield TOO_MUCH[1000:]

        headers = {"Content-Type": "application/json", "If-Match": '"v1"', **new_key()}
        method, path = self.requests.operations[name].method, self.requests.path(name)
        async with untouched(dsn):
            for content in (TOO_MUCH, in_parts()):
                answer = await admin.request(method, path, content=content, headers=headers)
                assert code_of(answer) == (413, "BODY_TOO_LARGE")

    async def test_an_unknown_field_is_named(self, admin: httpx.AsyncClient, dsn: str, name: str) -> None:
        record = await self.record(admin, name)
        async with untouched(dsn):
            answer = await self.send(admin, name, record, {**self.requests.examples[name], "surprise": 1})
            assert code_of(answer) == (422, "VALIDATION_FAILED")
            errors = [(error["pointer"], error["code"]) for error in answer.json()["errors"]]
            assert errors == [("#/surprise", "EXTRA_FORBIDDEN")]

    async def test_a_value_of_the_wrong_type_is_named(
        self, admin: httpx.AsyncClient, dsn: str, name: str
    ) -> None:
        record = await self.record(admin, name)
        async with untouched(dsn):
            for field in self.requests.operations[name].body.model_fields:
                body = {**self.requests.examples[name], field: {"neither": ["this"]}}
                answer = await self.send(admin, name, record, body)
                assert code_of(answer) == (422, "VALIDATION_FAILED")
                pointers = {error["pointer"].split("/")[1] for error in answer.json()["errors"]}
                assert pointers == {field}

    async def test_a_nul_character_is_refused(self, admin: httpx.AsyncClient, dsn: str, name: str) -> None:
        record = await self.record(admin, name)
        fields = self.requests.operations[name].body.model_json_schema()["properties"].items()
        async with untouched(dsn):
            for field in [
                field for field, said in fields if "string" in str(said) and "format" not in str(said)
            ]:
                body = {**self.requests.examples[name], field: "a\0b"}
                assert code_of(await self.send(admin, name, record, body)) == (422, "VALIDATION_FAILED")

    # When

    async def test_what_has_not_happened_yet_is_refused(
        self, admin: httpx.AsyncClient, dsn: str, name: str
    ) -> None:
        record = await self.record(admin, name)
        async with untouched(dsn):
            # The last one is of a year that UTC's calendar does not have.
            for at in ("2999-01-01T00:00:00Z", "9999-12-31T23:59:59-01:00"):
                body = {**self.requests.examples[name], "occurred_at": at}
                answer = await self.send(admin, name, record, body)
                assert code_of(answer) == (422, "OCCURRED_IN_FUTURE")
                assert answer.json()["errors"][0]["pointer"] == "#/occurred_at"

    async def test_what_happened_long_ago_is_taken_with_its_time(
        self, admin: httpx.AsyncClient, timed: str
    ) -> None:
        body = {**self.requests.examples[timed], "occurred_at": LONG_AGO}
        answer = await self.send(admin, timed, await self.record(admin, timed), body)
        assert answer.is_success, answer.text
        id = answer.json()["id"]
        where = answer.headers.get("Location") or self.requests.own_path(timed, id)
        last = (await admin.get(f"{where}/timeline")).json()["items"][-1]
        assert last["occurred_at"] == "2024-02-29T01:30:00Z"
        assert last["recorded_at"] > "2025"

    # On which version, and how often

    async def test_a_decision_on_an_older_version_is_stale(
        self, admin: httpx.AsyncClient, dsn: str, versioned: str
    ) -> None:
        record = await self.record(admin, versioned)
        if record is None:
            await self.send(admin, versioned)
        where = self.requests.own_path(versioned, record) if record else self.requests.path(versioned)
        current = (await admin.get(where)).headers["ETag"]
        async with untouched(dsn):
            answer = await self.send(admin, versioned, record, headers={"If-Match": '"v77"'})
            assert code_of(answer) == (412, "STALE")
            assert answer.json()["current_etag"] == current
        assert (await self.send(admin, versioned, record, headers={"If-Match": current})).status_code == 200

    async def test_where_a_lost_update_matters_if_match_is_required(
        self, admin: httpx.AsyncClient, dsn: str, matched: str
    ) -> None:
        method = self.requests.operations[matched].method
        path = self.requests.path(matched, await self.record(admin, matched))
        example = self.requests.examples[matched]
        async with untouched(dsn):
            answer = await admin.request(method, path, json=example)
            assert code_of(answer) == (428, "IF_MATCH_REQUIRED")
            answer = await admin.request(method, path, json=example, headers={"If-Match": "3"})
            assert code_of(answer) == (400, "MALFORMED_HEADER")

    async def test_what_creates_needs_a_key(self, admin: httpx.AsyncClient, dsn: str, creating: str) -> None:
        path, example = self.requests.path(creating), self.requests.examples[creating]
        async with untouched(dsn):
            answer = await admin.post(path, json=example)
            assert code_of(answer) == (400, "IDEMPOTENCY_KEY_REQUIRED")
            short = await self.send(admin, creating, headers={"Idempotency-Key": "short"})
            assert code_of(short) == (400, "MALFORMED_HEADER")

    async def test_a_repeat_is_the_same_answer(self, admin: httpx.AsyncClient, dsn: str, name: str) -> None:
        record, key = await self.record(admin, name), new_key()
        body = {**self.requests.examples[name], "occurred_at": LONG_AGO}
        first = await self.send(admin, name, record, body, key)
        async with untouched(dsn):
            again = await self.send(admin, name, record, body, key)
        assert "Idempotency-Replayed" not in first.headers
        assert again.headers["Idempotency-Replayed"] == "true"
        assert (again.status_code, again.json()) == (first.status_code, first.json())
        for header in ("ETag", "Location"):
            assert again.headers.get(header) == first.headers.get(header)

    async def test_a_key_belongs_to_one_request(self, admin: httpx.AsyncClient, dsn: str, name: str) -> None:
        record, key = await self.record(admin, name), new_key()
        assert (await self.send(admin, name, record, headers=key)).is_success
        other: Json = {**self.requests.examples[name], "occurred_at": LONG_AGO}
        async with untouched(dsn):
            answer = await self.send(admin, name, record, other, key)
            assert code_of(answer) == (422, "IDEMPOTENCY_KEY_REUSED")

    async def send(
        self, client: httpx.AsyncClient, name: str, *what: object, **more: object
    ) -> httpx.Response:
        return await self.requests.send(client, name, *what, **more)  # type: ignore[arg-type]

    async def record(self, client: httpx.AsyncClient, name: str) -> str | None:
        return await self.requests.record_for(client, name)
