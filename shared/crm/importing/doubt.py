"""Whether an interrupted import may go on: what was under way at its end is sent again, and must not be done twice."""

from datetime import timedelta

import httpx
import jwt
from kernel.domain.clock import now

from crm.failures import Failure
from crm.importing.job import Journal
from crm.importing.mapping import RowMap

# Services keep a principal's keys for 72 hours; half a day less, because clocks differ and sending takes time.
KEYS_LAST_HOURS = 60


def subject_of(token: str) -> str:
    """Whose token it is, as it says itself; the service checks that."""
    try:
        return str(jwt.decode(token, options={"verify_signature": False})["sub"])
    except (jwt.InvalidTokenError, KeyError):
        raise Failure("The token is none of a principal: it does not say whose it is.") from None


def must_go_on_harmlessly(journal: Journal, by: str, mapping: RowMap, url: str) -> None:
    """The keys of an earlier run, or ids that are there already, make a repetition harmless."""
    if journal.by != by:
        why = f"was begun by another principal ({journal.by or 'not noted'})"
    elif now() - journal.begun > timedelta(hours=KEYS_LAST_HOURS):
        why = f"was begun more than {KEYS_LAST_HOURS} hours ago"
    else:
        return
    if not _only_creates(mapping, url):
        raise Failure(
            f"This import {why}, so that what was under way when it ended might be carried out twice: look what became"
            f" of the rows after the first {journal.count.rows}, and remove {journal.state} to send all rows anew."
        )


def _only_creates(mapping: RowMap, url: str) -> bool:
    """By the service's own documentation. A record's id comes from the map or the row: it is not made twice."""
    try:
        answer = httpx.get(f"{url}/openapi.json", timeout=10, trust_env=False).raise_for_status()
        operations = [operation for path in answer.json()["paths"].values() for operation in path.values()]
        creating = {operation["operationId"] for operation in operations if "201" in operation["responses"]}
    except (httpx.HTTPError, ValueError, LookupError, TypeError, AttributeError):
        return False
    return all(template.command in creating for template in mapping.templates)
