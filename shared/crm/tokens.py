"""`crm token`: a development token for anybody."""

from collections.abc import Sequence
from pathlib import Path
from uuid import UUID

from crm.failures import Failure
from crm.local import HOUR, Local
from crm.people import USERS


def make_token(
    roles: Sequence[str], subject: UUID | None, teams: Sequence[str] | None, hours: float, folder: Path | None
) -> str:
    for role in roles:
        if role not in USERS:
            raise Failure(f"There is no role {role!r}; there are {', '.join(USERS)}.")
    person = USERS[roles[0]]
    return (
        Local(folder)
        .key()
        .token(
            subject or person.subject,
            roles,
            person.teams if teams is None else teams,
            lifetime=hours * HOUR,
        )
    )
