"""Who and why: what an auditor asks of a fact, kept beside it and never inside it."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """`actor` is the token's subject; `claimed_at` a time the client gave that lay slightly in the future."""

    actor: str
    command_id: UUID
    correlation_id: str
    causation_id: str | None = None
    traceparent: str | None = None
    claimed_at: datetime | None = None
