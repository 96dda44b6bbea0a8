"""When a fact is said to have occurred: checked against the database's clock."""

from datetime import UTC, datetime, timedelta

from kernel.domain.errors import Invalid

EARLIEST = 1900
FUTURE_ALLOWED = timedelta(minutes=5)


def occurrence(claimed: datetime | None, now: datetime) -> tuple[datetime, datetime | None]:
    """When it happened, and what was claimed where that lay slightly ahead of the database's clock."""
    if claimed is None:
        return now, None
    if claimed.year < EARLIEST:
        # Nobody's customers go back further, and zones and the driver fail at the edges of the calendar.
        raise Invalid(f"occurred_at is before {EARLIEST}.", pointer="#/occurred_at", earliest=EARLIEST)
    if claimed > now + FUTURE_ALLOWED:
        raise Invalid(
            "occurred_at lies in the future.",
            code="OCCURRED_IN_FUTURE",
            pointer="#/occurred_at",
            now=now.isoformat(),
        )
    claimed = claimed.astimezone(UTC)
    return (claimed, None) if claimed <= now else (now, claimed)
