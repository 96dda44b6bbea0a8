"""How a rule says no: kinds of refusal, each with a stable code, without a word of HTTP."""

from collections.abc import Mapping

Detail = str | int | bool | None | list[str]


class Refused(Exception):
    """Base of every refusal. `code` is a promise to clients; `params` repeats the values in `detail`."""

    code = "REFUSED"

    def __init__(self, detail: str, *, code: str | None = None, **params: Detail) -> None:
        super().__init__(detail)
        self.detail = detail
        self.code = code or type(self).code
        self.params: Mapping[str, Detail] = params


class NotFound(Refused):
    """There is no such record, or the caller may not know that there is one."""

    code = "NOT_FOUND"


class Conflict(Refused):
    """The record is in a state in which this cannot happen."""

    code = "CONFLICT"


class Forbidden(Refused):
    """The caller's role does not allow this."""

    code = "FORBIDDEN"


class Invalid(Refused):
    """Understood, but a value breaks a rule that needs no state to see."""

    code = "VALIDATION_FAILED"


class Stale(Refused):
    """The caller decided on an older version of the record."""

    code = "STALE"
