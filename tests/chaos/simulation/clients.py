"""Clients: each asks for one thing after another, and asks again under the same key until it knows what came of it."""

import asyncio
import random
from collections.abc import Callable
from typing import Any
from uuid import UUID

from kernel.domain.errors import Refused
from kernel.storage.failures import OutcomeUnknown, Unavailable

from tests.chaos.simulation import domain
from tests.chaos.simulation.beginning import STREAMS
from tests.chaos.simulation.ledger import Entry, Ledger, Said
from tests.chaos.simulation.nodes import Api
from tests.chaos.simulation.plan import Wish
from tests.chaos.simulation.sinks import intent_of

PATIENCE = 3.0


class Client:
    def __init__(self, ledger: Ledger, apis: Callable[[], Api], chance: random.Random) -> None:
        self._ledger = ledger
        self._apis = apis
        self._chance = chance

    async def run(self, wishes: list[Wish]) -> None:
        for wish in wishes:
            await asyncio.sleep(wish.pause)
            await self._ask(wish)

    async def _ask(self, wish: Wish) -> None:
        now = asyncio.get_running_loop().time
        entry = Entry(wish, STREAMS[wish.account], now())
        self._ledger.entries[wish.ref] = entry
        while not await self._send(entry):  # noqa: ASYNC110  it asks, it does not wait
            await asyncio.sleep(self._chance.random() * 0.3)
        if wish.again and entry.outcome == "acknowledged":
            await self._send(entry)

    async def _send(self, entry: Entry) -> bool:
        """Whether the client knows now what came of it."""
        loop = asyncio.get_running_loop()
        steps = [(domain.account, stream, command) for stream, command in steps_of(entry.wish)]
        intent = intent_of(*steps, key=entry.wish.ref)
        entry.last_sent = loop.time()
        try:
            async with asyncio.timeout(PATIENCE):
                handled = await self._apis().submit(intent)
        except Refused as refused:
            if refused.code == "IDEMPOTENCY_KEY_IN_USE":
                return False
            self._refused(entry, refused)
        except TimeoutError:
            return False
        except (OutcomeUnknown, Unavailable, OSError):
            return False
        except Exception as error:
            self._ledger.violated("a command met a fault", f"{entry.wish.ref}: {error!r}")
        else:
            self._acknowledged(entry, handled)
        return True

    def _refused(self, entry: Entry, refused: Refused) -> None:
        if entry.outcome == "acknowledged" and not entry.withdrawn:
            self._ledger.violated("an answer changed", f"{entry.wish.ref}: done, then {refused!r}")
        if entry.outcome is None:
            entry.outcome = "refused"
            entry.answered = asyncio.get_running_loop().time()

    def _acknowledged(self, entry: Entry, handled: Any) -> None:
        state = handled.state
        said = Said(handled.version, state.amount, state.name, state.erased, handled.replayed)
        before = entry.said
        if before and not entry.withdrawn and (before.version, before.amount) != (said.version, said.amount):
            self._ledger.violated("an answer changed", f"{entry.wish.ref}: {before}, then {said}")
        since = self._ledger.erased.get(entry.stream)
        if said.name is not None and since is not None and entry.last_sent > since:
            self._ledger.violated("an erased person's name was shown", f"{entry.wish.ref}: {said}")
        entry.said = said
        entry.outcome = "acknowledged"
        entry.answered = asyncio.get_running_loop().time()
        if entry.wish.kind == "erase":
            self._ledger.erased.setdefault(entry.stream, entry.answered)


def steps_of(wish: Wish) -> list[tuple[UUID, domain.Command]]:
    """What it asks for, by account; two accounts are changed together or not at all."""
    own, other = STREAMS[wish.account], STREAMS[wish.other]
    if wish.kind == "move":
        given = abs(wish.by)
        return [(own, domain.Add(ref=wish.ref, by=-given)), (other, domain.Add(ref=wish.ref, by=given))]
    return [(own, command_of(wish))]


def command_of(wish: Wish) -> domain.Command:
    match wish.kind:
        case "open":
            return domain.Open(ref=wish.ref, name=f"name of {wish.account}")
        case "add":
            return domain.Add(ref=wish.ref, by=wish.by)
        case "remark":
            return domain.Remark(ref=wish.ref, person_id=STREAMS[wish.other], remark="a remark")
        case "tag":
            return domain.Tag(ref=wish.ref, tag=f"tag {wish.by % 3}" if wish.by > 0 else None)
        case _:
            return domain.Erase(ref=wish.ref)
