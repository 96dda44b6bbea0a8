"""Clients that send slowly, never read, wait for long or go away: all others are answered as ever."""

import re
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager

import psycopg
import pytest
from kernel.storage.log import LOG_LOCK
from kernel.storage.waiting import MOST_INTENTS

from tests.system.raw import companies, get, post, rude
from tests.system.running import System, eventually

NAME = "contacts"
# More than any pool of connections holds.
MANY = 24
# Whoever waits for a connection that another one holds is refused after five seconds.
BOUND = 4.0
ROUNDS = 4
BIG = 400
# As long as the feed lets anybody wait for news.
WAIT = 25


@pytest.fixture(scope="module")
def company(system: System) -> str:
    """A record to read, in a feed and a list whose answers no socket's buffers hold."""
    for _ in range(2):
        assert system.post(NAME, "/v1/batch", companies(1000)).json()["summary"]["failed"] == 0
    made = system.post(NAME, "/v1/companies", {"name": "Patient Works"})
    return str(made.json()["id"])


def everyone_is_served(system: System, company: str) -> None:
    """A command, a record, a page of a list and of the feed, again and again."""
    longest = 0.0
    for _ in range(ROUNDS):
        for path in (f"/v1/companies/{company}", "/v1/companies?limit=5", "/v1/feed?limit=5"):
            longest = max(longest, _took(lambda path=path: system.get(NAME, path)))  # type: ignore[misc]
        longest = max(longest, _took(lambda: system.post(NAME, "/v1/companies", {"name": "Other Works"})))
    assert longest < BOUND


def test_who_sends_slowly(system: System, company: str) -> None:
    whole = post(system, "/v1/companies", {"name": "Slow Works"})
    batch = post(system, "/v1/batch", companies(300))
    # In the middle of the head, before the body, in the middle of it; and a batch that lacks its end.
    parts = (whole[:40], whole[: whole.index(b"\r\n\r\n") + 4], whole[:-9], batch[:-9])
    with rude(system, NAME, *(parts * (MANY // 2))) as connections:
        everyone_is_served(system, company)
        # One more word each, and they are still not done.
        for connection in connections:
            connection.send(b" " if connection is not connections[0] else b"x")
        everyone_is_served(system, company)


def test_who_never_reads(system: System, company: str) -> None:
    asked = (
        get(system, "/v1/feed?limit=5000") * 5,
        get(system, "/v1/companies?limit=200") * 20,
        post(system, "/v1/companies", {"name": "Deaf Works"}) * 50,
    )
    with rude(system, NAME, *(asked * 4)):
        everyone_is_served(system, company)


def test_who_waits_for_news(system: System, company: str) -> None:
    waiting = get(system, f"/v1/feed?after={_head(system)}&types=crm.no-such-thing.v1&timeout={WAIT}")
    with rude(system, NAME, *([waiting] * MANY)):
        everyone_is_served(system, company)


def test_who_goes_away(system: System, company: str) -> None:
    waiting = get(system, f"/v1/feed?after={_head(system)}&types=crm.no-such-thing.v1&timeout={WAIT}")
    asked = (
        waiting,
        post(system, "/v1/batch", companies(BIG)),
        post(system, "/v1/companies", {"name": "Gone Works"}),
        get(system, "/v1/feed?limit=5000"),
    )
    with rude(system, NAME, *(asked * 6)):
        time.sleep(0.2)
    everyone_is_served(system, company)


def test_who_goes_away_waits_no_longer_for_news(system: System) -> None:
    waiting = get(system, f"/v1/feed?after={_head(system)}&types=crm.no-such-thing.v1&timeout={WAIT}")
    before = _requests(system, "/v1/feed", 200)
    with rude(system, NAME, *([waiting] * MANY)):
        time.sleep(0.5)
        # Others follow this feed too, but not so many.
        assert _requests(system, "/v1/feed", 200) < before + MANY
    eventually(
        lambda: _requests(system, "/v1/feed", 200) >= before + MANY, "they are noticed to be gone", WAIT / 2
    )


def test_who_goes_away_takes_along_what_has_not_begun(system: System) -> None:
    before = _requests(system, "/v1/batch", 499)
    with log_held(system):
        with rude(system, NAME, *(post(system, "/v1/batch", companies(BIG, "gone")) for _ in range(2))):
            # Read, and waiting behind whoever holds the log.
            time.sleep(1)
        eventually(
            lambda: _requests(system, "/v1/batch", 499) == before + 2, "they are noticed to be gone", 5
        )
    # What comes afterwards is served as ever, and of theirs only that is stored which was in hand.
    answer = system.post(NAME, "/v1/batch", companies(BIG))
    assert answer.json()["summary"] == {"succeeded": BIG, "failed": 0}
    stored = system.rows(NAME, "SELECT count(*) FROM idempotency WHERE key LIKE %s", "gone-%")[0][0]
    assert stored <= MOST_INTENTS


def test_nothing_is_begun_for_whoever_has_gone(system: System) -> None:
    """He may have asked elsewhere, and been refused: then it must not be done here after all."""
    before = _requests(system, "/v1/companies", 503)
    with log_held(system):
        with rude(system, NAME, *(post(system, "/v1/companies", {"name": "Left Works"}) for _ in range(3))):
            time.sleep(0.5)
        # The connections are closed before anyone has the log.
        time.sleep(0.5)
    eventually(
        lambda: _requests(system, "/v1/companies", 503) == before + 3, "they are noticed to be gone", 5
    )
    assert system.get(NAME, "/v1/companies", q="left works")["items"] == []


@contextmanager
def log_held(system: System) -> Iterator[None]:
    """Somebody else is writing, for less than anyone's patience."""
    with psycopg.connect(system.dsn(NAME)) as connection, ThreadPoolExecutor(1) as thread:
        # At work all the time: who holds the lock and sleeps is cut off.
        connection.execute("SELECT pg_advisory_xact_lock(%s)", [LOG_LOCK])
        holding = thread.submit(connection.execute, "SELECT pg_sleep(60)")
        try:
            yield
        finally:
            system.rows(NAME, "SELECT pg_cancel_backend(%s)", connection.info.backend_pid)
            wait([holding])
            connection.rollback()


def _took(done: Callable[[], object]) -> float:
    began = time.monotonic()
    done()
    return time.monotonic() - began


def _head(system: System) -> int:
    found: int = system.rows(NAME, "SELECT coalesce(max(position), 0) FROM events")[0][0]
    return found


def _requests(system: System, route: str, status: int) -> float:
    told = system.http.get(f"{system.urls[NAME]}/metrics").text
    found = re.findall(
        rf'^crm_http_requests_total\{{.*route="{route}",status="{status}"\}} (\S+)$', told, re.MULTILINE
    )
    return sum(map(float, found))
