"""Clients that send the story's commands: in order for each record, several at once, again after every trouble."""

import asyncio
from collections.abc import Iterable, Sequence

from crm.sending import Outcome, Sender

from tests.system.running import NAMES, PATIENCE, System
from tests.system.telling import Told

LANES = 2


def send(system: System, told: Iterable[Told], *, slice: int = 120) -> None:
    """Returns when each command is carried out, however often the services were away meanwhile."""
    outcomes = asyncio.run(_send(system, list(told), slice))
    refused = [f"{outcome.item}: {outcome.problem}" for outcome in outcomes if outcome.problem]
    assert not refused, "\n".join(refused[:5])


async def _send(system: System, told: Sequence[Told], slice: int) -> list[Outcome]:
    lanes = (
        _lane(
            system,
            name,
            [each for each in told if each.service == name and lane == each.record.int % LANES],
            slice,
        )
        for name in NAMES[:3]
        for lane in range(LANES)
    )
    return [outcome for outcomes in await asyncio.gather(*lanes) for outcome in outcomes]


async def _lane(system: System, name: str, told: Sequence[Told], slice: int) -> list[Outcome]:
    outcomes: list[Outcome] = []
    async with Sender(system.urls[name], system.token, patience=PATIENCE) as sender:
        for start in range(0, len(told), slice):
            outcomes += await sender.send([each.item for each in told[start : start + slice]])
    return outcomes
