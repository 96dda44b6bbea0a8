"""Every error a client can meet: one registry from stable code to status and title, one shape of answer (RFC 9457)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic_core import to_json
from starlette.responses import Response

from kernel.domain.errors import Conflict, Forbidden, Invalid, NotFound, Refused, Stale
from kernel.storage.catalog import ViewUnknown
from kernel.storage.codec import UnknownEvent
from kernel.storage.failures import OutcomeUnknown, Unavailable, passing
from kernel.storage.keys import KeyUnreadable

MEDIA_TYPE = "application/problem+json"


@dataclass(frozen=True, slots=True)
class Problem:
    status: int
    title: str
    meaning: str


PROBLEMS: dict[str, Problem] = {
    "MALFORMED_JSON": Problem(400, "The body is not JSON", "The request body could not be parsed."),
    "MALFORMED_HEADER": Problem(
        400, "A header is malformed", "A header's value does not have the documented form."
    ),
    "PREFLIGHT_REFUSED": Problem(
        400, "A browser may not ask this", "The page's origin is not among those that this service allows."
    ),
    "IDEMPOTENCY_KEY_REQUIRED": Problem(
        400,
        "Idempotency-Key is required",
        "Creating requests carry a key, so that repeating them is harmless.",
    ),
    "CURSOR_INVALID": Problem(
        400, "The cursor is not valid", "It was altered, or was not made by this service."
    ),
    "CURSOR_MISMATCH": Problem(
        400, "The cursor belongs to another query", "Filters and sort must not change."
    ),
    "UNAUTHENTICATED": Problem(
        401, "A bearer token is required", "No token was sent, or not as a bearer token."
    ),
    "TOKEN_INVALID": Problem(
        401, "The token is not valid", "It is malformed, wrongly signed or for someone else."
    ),
    "TOKEN_EXPIRED": Problem(401, "The token has expired", "Fetch a new one and send the request again."),
    "FORBIDDEN": Problem(403, "Not allowed", "The caller's roles do not allow this operation."),
    "NOT_FOUND": Problem(404, "Not found", "There is no such record or path, or the caller may not see it."),
    "METHOD_NOT_ALLOWED": Problem(405, "Method not allowed", "This path does not answer to this method."),
    "CONFLICT": Problem(409, "Not possible now", "The record's state does not allow this command."),
    "DUPLICATE": Problem(409, "Already in use", "Another record has this value, which must be unique."),
    "HISTORY_FULL": Problem(
        409, "Too much has happened to this record", "It can be read and erased; go on with another one."
    ),
    "PERSON_ERASED": Problem(
        409, "The person has been erased", "Nothing personal can be stored about them again."
    ),
    "IDEMPOTENCY_KEY_IN_USE": Problem(409, "The same request is under way", "Wait for its answer."),
    "FEED_GONE": Problem(
        410, "This place in the feed is gone", "The log was restored; go on from the place named."
    ),
    "STALE": Problem(412, "The record has changed", "Read it again and decide again."),
    "BODY_TOO_LARGE": Problem(413, "The body is too large", "A command has at most 512 KiB, a batch 16 MiB."),
    "VALIDATION_FAILED": Problem(422, "The request is not valid", "Each entry of `errors` names a field."),
    "IDEMPOTENCY_KEY_REUSED": Problem(422, "The key was used for another request", "Use a fresh key."),
    "OCCURRED_IN_FUTURE": Problem(422, "It cannot have happened yet", "occurred_at lies in the future."),
    "AMOUNT_INVALID": Problem(
        422, "The amount is not valid", "Too many digits for the currency, or too large."
    ),
    "IF_MATCH_REQUIRED": Problem(428, "If-Match is required", "Send the ETag of the version you decided on."),
    "INTERNAL": Problem(500, "Something failed here", "The fault is ours; nothing was written."),
    "UNAVAILABLE": Problem(503, "Not available now", "Nothing was done; send it again later."),
    "OVERLOADED": Problem(503, "Too much is waiting", "Nothing was done; send it again later."),
    "OUTCOME_UNKNOWN": Problem(
        503, "The outcome is not known", "Send the same key again: it is done at most once."
    ),
    "LOG_NEWER_THAN_CODE": Problem(
        503, "Written by a newer release", "This process cannot read the record yet."
    ),
    "PROJECTION_BEHIND": Problem(503, "The figures are behind", "What you wrote has not arrived yet."),
}

_KINDS: Sequence[tuple[type[Exception], int]] = (
    (NotFound, 404),
    (Conflict, 409),
    (Forbidden, 403),
    (Invalid, 422),
    (Stale, 412),
    (Refused, 409),
)


def slug(code: str) -> str:
    return code.lower().replace("_", "-")


def register(problems: Mapping[str, Problem]) -> None:
    """A service adds the codes of its own rules at start."""
    PROBLEMS.update(problems)


@dataclass(frozen=True, slots=True)
class Described:
    """A problem on its way to a client; `extra` are members beside the standard ones."""

    status: int
    code: str
    title: str
    detail: str
    extra: Mapping[str, Any]

    def body(self, **context: Any) -> dict[str, Any]:
        return {
            **self.extra,
            "type": f"/problems/{slug(self.code)}",
            "title": self.title,
            "status": self.status,
            "code": self.code,
            "detail": self.detail,
            **context,
        }

    def response(self, **context: Any) -> Response:
        headers = {"Retry-After": "1"} if self.status == 503 or self.code == "IDEMPOTENCY_KEY_IN_USE" else {}
        if self.status == 401:
            headers["WWW-Authenticate"] = "Bearer"
        headers["Content-Language"] = "en"
        return Response(to_json(self.body(**context)), self.status, headers=headers, media_type=MEDIA_TYPE)


def problem(code: str, detail: str, **extra: Any) -> Described:
    known = PROBLEMS[code]
    return Described(known.status, code, known.title, detail, extra)


def describe(error: Exception) -> Described:
    """The only table from what went wrong to what a client is told."""
    if isinstance(error, Refused):
        return _refusal(error)
    if isinstance(error, UnknownEvent | KeyUnreadable | ViewUnknown):
        return problem(
            "LOG_NEWER_THAN_CODE", "This process cannot read the record; another release wrote it."
        )
    if isinstance(error, Unavailable | OutcomeUnknown):
        return problem(error.code, str(error))
    if passing(error):
        return problem("UNAVAILABLE", "The database does not answer now.")
    return problem("INTERNAL", "An unexpected failure; it has been logged with this request's id.")


def _refusal(error: Refused) -> Described:
    status = next(status for kind, status in _KINDS if isinstance(error, kind))
    known = PROBLEMS.get(error.code)
    extra: dict[str, Any] = dict(error.params)
    if isinstance(error, Invalid):
        pointer = extra.pop("pointer", None)
        place = {"pointer": pointer} if pointer else {}
        extra = {"errors": [{**place, "code": error.code, "detail": error.detail, "params": extra}]}
    title = known.title if known else PROBLEMS[_DEFAULT[status]].title
    return Described(known.status if known else status, error.code, title, error.detail, extra)


_DEFAULT = {404: "NOT_FOUND", 409: "CONFLICT", 403: "FORBIDDEN", 422: "VALIDATION_FAILED", 412: "STALE"}
