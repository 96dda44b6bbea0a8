"""What a decided batch says to each part of the statement that writes it: rows in the order of its columns."""

from collections.abc import Sequence
from hashlib import sha256
from typing import Any
from uuid import UUID

from pydantic_core import to_json

from kernel.domain.provenance import Provenance
from kernel.storage import log
from kernel.storage.decisions import Decisions
from kernel.storage.known import Decided, Draft, Known, UniqueKey


def columns(rows: Sequence[tuple[Any, ...]], width: int) -> Sequence[Sequence[Any]]:
    return list(zip(*rows, strict=True)) if rows else [()] * width


def event(draft: Draft, sealed: str | None, provenance: Provenance) -> tuple[Any, ...]:
    """In the order of the statement."""
    encoded = draft.encoded
    return (
        draft.stream_id,
        draft.version,
        draft.event_id,
        encoded.type,
        encoded.schema_version,
        encoded.data,
        to_json({str(draft.person_id): sealed}).decode() if sealed else None,
        personal_digest(draft.person_id, sealed),
        log.meta_json(provenance),
        draft.occurred_at,
    )


def personal_digest(person_id: UUID, sealed: str | None) -> bytes | None:
    """What the log's digest covers in place of the sealed object, so that a redaction leaves it valid."""
    return sha256(person_id.bytes + sealed.encode()).digest() if sealed else None


def streams(decisions: Decisions, sealed: Sequence[str | None]) -> list[tuple[UUID, str, int, int]]:
    """Id, category, version and what the new facts weigh."""
    weights: dict[UUID, int] = {}
    for draft, text in zip(decisions.drafts, sealed, strict=True):
        # A load brings about 300 bytes of ids, times and provenance beside the body.
        weight = 300 + draft.intent.weight + len(text or "")
        weights[draft.stream_id] = weights.get(draft.stream_id, 0) + weight
    tips = decisions.tips
    return [(i, tips[i].aggregate.category, tips[i].version, weight) for i, weight in weights.items()]


def claims(decisions: Decisions) -> list[tuple[Any, ...]]:
    """Of every intent that was not refused, in the order of the statement."""
    return [
        (
            intent.actor,
            intent.key,
            intent.fingerprint,
            intent.command_id,
            intent.status,
            outcome.stream_id,
            outcome.version,
        )
        for intent, outcome in zip(decisions.intents, decisions.outcomes, strict=True)
        if isinstance(outcome, Decided)
    ]


def unique(decisions: Decisions) -> tuple[list[UniqueKey], list[tuple[str, bytes, UUID]]]:
    """The values that nobody has any more, and those that have a new holder."""
    freed = [key for key, stream_id in decisions.unique.items() if stream_id is None]
    taken = [(*key, stream_id) for key, stream_id in decisions.unique.items() if stream_id is not None]
    return freed, taken


def timers(
    known: Known, decisions: Decisions
) -> tuple[list[tuple[UUID, str]], list[tuple[UUID, str, str, Any]]]:
    """What is no longer awaited, and what is awaited from now on."""
    gone: list[tuple[UUID, str]] = []
    due: list[tuple[UUID, str, str, Any]] = []
    for stream_id, tip in decisions.tips.items():
        timers = tip.aggregate.timers
        if timers is None:
            continue
        stream = known.streams[stream_id]
        before = timers.due(stream.state) if stream else {}
        after = timers.due(tip.state)
        gone += [(stream_id, kind) for kind in before if kind not in after]
        due += [
            (stream_id, kind, tip.aggregate.category, at)
            for kind, at in after.items()
            if before.get(kind) != at
        ]
    return gone, due
