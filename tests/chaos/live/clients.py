"""Clients: each asks for the commands of its own records, under the same key until it knows what came of it."""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

import httpx
from pydantic_core import from_json, to_json

from tests.chaos.live.ledger import Findings, Ledger
from tests.chaos.live.wishes import ROUTES, Persons, Record, Wish
from tests.chaos.live.wishes_contacts import CANARY

FOLLOWS = "an answer follows from the answers before it"
SAME = "the same key again gives the same answer"
New = Callable[[Random, Persons, list[Record]], Record]

# So many records a client has in hand; with few of them their histories grow long.
RECORDS = 150
BATCH = (20, 60)
# Of four requests one is a single command, and of so many commands one is asked once more later.
SINGLE, AGAIN = 0.25, 0.04
SINGLES_AT_ONCE = 4
REMEMBERED = 100
TIMEOUT = 20.0
FIRST_PAUSE, LONGEST_PAUSE = 0.05, 0.4
# A client that was held up makes up for it, but not for more than this, in seconds.
MOST_TO_CATCH_UP = 60.0
# Status codes and problems that say nothing of the outcome.
PASSING = frozenset((408, 425, 429, 500, 502, 503, 504))
PASSING_CODES = frozenset(("IDEMPOTENCY_KEY_IN_USE", "TOKEN_EXPIRED"))


@dataclass(frozen=True, slots=True)
class Answer:
    """`body` is that of a single command. `code` is the problem's, or empty."""

    status: int
    id: str
    etag: str
    replayed: bool
    code: str
    body: str
    token: str = ""

    @property
    def definite(self) -> bool:
        return self.status not in PASSING and self.code not in PASSING_CODES


class Client:
    """`rate`: commands a second, over its whole life; 0 knows no limit."""

    def __init__(
        self, name: str, service: str, url: str, token: str, ledger: Ledger, findings: Findings, rate: float
    ) -> None:
        self.name = name
        self.service = service
        self.faults_answered = 0
        self._ledger = ledger
        self._findings = findings
        self._rate = rate
        self._number = 0
        self._answered: deque[tuple[Wish, Answer]] = deque(maxlen=REMEMBERED)
        self._under_way: dict[str, Wish] = {}
        self._http = httpx.AsyncClient(
            base_url=url,
            headers={"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
            timeout=httpx.Timeout(TIMEOUT, connect=5),
            trust_env=False,
        )

    async def close(self) -> None:
        await self._http.aclose()

    def forget(self) -> None:
        """The service went back to a backup: what was under way is in it, or is not."""
        self._ledger.uncertain.update(dict.fromkeys(self._under_way, self.service))
        self._under_way.clear()
        self._answered.clear()

    async def run(self, new: New, random: Random, persons: Persons) -> None:
        """Until cancelled."""
        records: list[Record] = []
        asked, began = 0, time.monotonic()
        while True:
            wishes = self._wishes(records, new, random, persons)
            await self.carry_out(wishes, single=len(wishes) <= SINGLES_AT_ONCE)
            if self._answered and random.random() < AGAIN * len(wishes):
                await self._again(*random.choice(list(self._answered)))
            records[:] = [record for record in records if not record.finished]
            asked += len(wishes)
            if self._rate:
                ahead = asked / self._rate - (time.monotonic() - began)
                began = max(began, time.monotonic() - asked / self._rate - MOST_TO_CATCH_UP)
                await asyncio.sleep(max(ahead, 0))

    def _wishes(self, records: list[Record], new: New, random: Random, persons: Persons) -> list[Wish]:
        many = SINGLES_AT_ONCE if random.random() < SINGLE else random.randint(*BATCH)
        chosen = random.sample(records, min(many, len(records)) * 3 // 4)
        while len(chosen) < many and len(records) < RECORDS:
            records.append(new(random, persons, records))
            chosen.append(records[-1])
        return [record.wish() for record in chosen]

    async def carry_out(self, wishes: Sequence[Wish], *, single: bool = False) -> list[Answer]:
        """One definite answer for each, and all of it in the ledger."""
        for wish in wishes:
            self._number += 1
            wish.key, wish.sent_at = f"{self.name}-{self._number:07}", time.monotonic()
            self._under_way[wish.key] = wish
        if single:
            answers = list(await asyncio.gather(*(self._single_until_known(wish) for wish in wishes)))
        else:
            answers = await self._batch_until_known(wishes)
        for wish, answer in zip(wishes, answers, strict=True):
            self._settle(wish, answer)
            self._under_way.pop(wish.key, None)
        return answers

    def _settle(self, wish: Wish, answer: Answer) -> None:
        if answer.code:
            self._ledger.refuse(wish.key, self.service)
            if answer.code == wish.perhaps:
                wish.record.finished = True
            elif answer.code != wish.refused:
                self._cannot_be(wish, answer, "was refused")
            return
        version = int(answer.etag.strip('"v'))
        self._ledger.acknowledge(wish.key, self.service, answer.id, version, wish.facts, wish.sent_at)
        if wish.refused:
            self._cannot_be(wish, answer, f"should have been refused ({wish.refused})")
        elif answer.id != wish.id or version != wish.record.version + wish.facts:
            self._cannot_be(wish, answer, f"at version {wish.record.version} with {wish.facts} facts")
        else:
            wish.record.settled(wish, version)
            self._answered.append((wish, answer))

    def _cannot_be(self, wish: Wish, answer: Answer, why: str) -> None:
        how = f"{wish.key} {wish.command} of {wish.id} {why}: {answer.status} {answer.code} {answer.etag}"
        self._findings.add(FOLLOWS, how)
        wish.record.finished = True

    async def _again(self, wish: Wish, first: Answer) -> None:
        """The same key once more: the same answer, and it says so."""
        again = (
            await self._single_until_known(wish) if first.body else (await self._batch_until_known([wish]))[0]
        )
        same = (again.status, again.id, again.etag, again.code) == (
            first.status,
            first.id,
            first.etag,
            first.code,
        )
        if not same or not again.replayed or not says_the_same(first.body, again.body):
            self._findings.add(
                SAME,
                f"{wish.key} {wish.command}: {first} and then {again}",
            )

    async def _batch_until_known(self, wishes: Sequence[Wish]) -> list[Answer]:
        known: dict[str, Answer] = {}
        pause = FIRST_PAUSE
        while pending := [wish for wish in wishes if wish.key not in known]:
            for wish, answer in zip(pending, await self._batch(pending), strict=False):
                self._note_fault(answer)
                if answer.definite:
                    known[wish.key] = answer
            if len(known) < len(wishes):
                await asyncio.sleep(pause)
                pause = min(pause * 2, LONGEST_PAUSE)
        return [known[wish.key] for wish in wishes]

    async def _batch(self, wishes: Sequence[Wish]) -> list[Answer]:
        try:
            answer = await self._http.post(
                "/v1/batch", content=to_json({"items": [wish.item() for wish in wishes]})
            )
        except httpx.TransportError:
            return []
        if answer.status_code != httpx.codes.MULTI_STATUS:
            return []
        return [
            Answer(
                each["status"],
                each["id"] or "",
                each["etag"] or "",
                each["replayed"],
                (each["problem"] or {}).get("code", ""),
                "",
            )
            for each in from_json(answer.content)["items"]
        ]

    async def _single_until_known(self, wish: Wish) -> Answer:
        pause = FIRST_PAUSE
        while True:
            answer = await self._single(wish)
            if answer:
                self._note_fault(answer)
                if answer.definite:
                    return answer
            await asyncio.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE)

    async def _single(self, wish: Wish) -> Answer | None:
        method, path = ROUTES[wish.command]
        headers = {"Idempotency-Key": wish.key} | ({"If-Match": wish.if_match} if wish.if_match else {})
        said: dict[str, Any] = wish.data
        if wish.occurred_at:
            said = said | {"occurred_at": wish.occurred_at}
        try:
            answer = await self._http.request(
                method, path.format(id=wish.id), content=to_json(said), headers=headers
            )
        except httpx.TransportError:
            return None
        told = from_json(answer.content) if answer.content else {}
        return Answer(
            answer.status_code,
            told.get("id", ""),
            answer.headers.get("ETag", ""),
            answer.headers.get("Idempotency-Replayed") == "true",
            "" if answer.is_success else told.get("code", "?"),
            answer.text,
            answer.headers.get("Consistency-Token", ""),
        )

    def _note_fault(self, answer: Answer) -> None:
        self.faults_answered += answer.status == httpx.codes.INTERNAL_SERVER_ERROR


def says_the_same(first: str, again: str) -> bool:
    """But for what was erased since: it is null now, and none of the person's words is left."""
    if first == again:
        return True
    before, now = from_json(first), from_json(again)
    changed = {name for name in before if name != "erased" and before[name] != now[name]}
    return CANARY in first and CANARY not in again and all(now[name] is None for name in changed)
