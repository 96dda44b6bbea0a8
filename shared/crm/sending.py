"""Sends commands through `POST /v1/batch`, and sends again what only met a passing trouble: its key makes that safe."""

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

import httpx
from pydantic_core import from_json, to_json

from crm.failures import Failure

MOST_ITEMS = 1000
# Five of these under way stay below what a service lets wait.
SLICE = 400
PATIENCE = 60.0
_PASSING = frozenset((429, 500, 502, 503, 504))


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One command: `command` is the operation's id, `key` makes its repetition harmless."""

    key: str
    command: str
    id: str | None = None
    data: dict[str, Any] = field(default_factory=dict)
    occurred_at: str | None = None
    if_match: str | None = None

    def said(self) -> dict[str, Any]:
        optional = {"id": self.id, "occurred_at": self.occurred_at, "if_match": self.if_match}
        given = {name: value for name, value in optional.items() if value is not None}
        return {"idempotency_key": self.key, "command": self.command, "data": self.data, **given}


Placed = tuple[int, Item]


@dataclass(frozen=True, slots=True)
class Outcome:
    """`problem` is None where the command was carried out, now or earlier."""

    item: Item
    status: int
    replayed: bool
    problem: dict[str, Any] | None

    @property
    def passing(self) -> bool:
        code = (self.problem or {}).get("code")
        return self.status in _PASSING or code == "IDEMPOTENCY_KEY_IN_USE"


def slices(groups: Iterable[Sequence[Item]], most: int = SLICE) -> Iterator[list[Item]]:
    """Whole groups: the commands of one record stay together and in order."""
    slice_: list[Item] = []
    for group in groups:
        if slice_ and len(slice_) + len(group) > most:
            yield slice_
            slice_ = []
        slice_ += group
    if slice_:
        yield slice_


class Sender:
    """One service's batches."""

    def __init__(self, url: str, token: str, *, patience: float = PATIENCE) -> None:
        self._url = url
        self._patience = patience
        self._http = httpx.AsyncClient(
            base_url=url,
            headers={"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
            timeout=httpx.Timeout(10, read=60),
            trust_env=False,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._http.aclose()

    async def send(self, items: Sequence[Item]) -> list[Outcome]:
        """One outcome for each item, in their order. Raises `Failure` when the service cannot be used at all."""
        # By their places: two items may have the same key, and each has an outcome of its own.
        settled: dict[int, Outcome] = {}
        pending = list(enumerate(items))
        pause, give_up = 0.1, asyncio.get_running_loop().time() + self._patience
        while pending:
            outcomes, trouble = await self._once(pending)
            again = _again(outcomes)
            settled |= {place: outcome for place, outcome in outcomes if place not in again}
            pending = [(place, item) for place, item in pending if place not in settled]
            if pending:
                if asyncio.get_running_loop().time() > give_up:
                    raise Failure(
                        f"{self._url} did not take the commands: {trouble or 'it has too much to do'}."
                    )
                await asyncio.sleep(pause)
                pause = min(pause * 2, 3)
        return [settled[place] for place in range(len(items))]

    async def _once(self, items: Sequence[Placed]) -> tuple[list[tuple[int, Outcome]], str]:
        """What came of the items, nothing where the request itself met a passing trouble; and the trouble."""
        try:
            answer = await self._http.post(
                "/v1/batch", content=to_json({"items": [item.said() for _, item in items]})
            )
        except httpx.TransportError as error:
            return [], str(error) or type(error).__name__
        if answer.status_code == httpx.codes.REQUEST_ENTITY_TOO_LARGE and len(items) > 1:
            middle = len(items) // 2
            (first, one), (second, two) = await self._once(items[:middle]), await self._once(items[middle:])
            return [*first, *second], one or two
        if answer.status_code in _PASSING:
            return [], f"it answers {answer.status_code}"
        if answer.status_code != httpx.codes.MULTI_STATUS:
            raise Failure(f"{self._url} refused the commands: {refusal(answer)}")
        results = from_json(answer.content)["items"]
        return [
            (place, Outcome(item, said["status"], said["replayed"], said["problem"]))
            for (place, item), said in zip(items, results, strict=True)
        ], ""


def _again(outcomes: Sequence[tuple[int, Outcome]]) -> set[int]:
    """What met a passing trouble, and what follows it on the same record: its refusal says nothing."""
    records: set[str] = set()
    again: set[int] = set()
    for place, outcome in outcomes:
        if outcome.passing or outcome.item.id in records:
            again.add(place)
            if outcome.item.id:
                records.add(outcome.item.id)
    return again


def refusal(answer: httpx.Response) -> str:
    """A problem document in one sentence."""
    try:
        said = answer.json()
        return str(said.get("detail") or said["title"])
    except (ValueError, KeyError, AttributeError):
        return f"it answers {answer.status_code}."
