"""Who may do what: a typed table from command (or category read) to the roles that may, and how far each one sees."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, get_args

from kernel.domain.errors import Forbidden
from kernel.storage.aggregate import Owned
from kernel.web.auth import Principal, Role


class Scope(IntEnum):
    """How far a role sees: own and unassigned records, those of its teams and unassigned ones, all."""

    OWN = 1
    TEAM = 2
    ALL = 3


Grants = Mapping[Role, Scope]


@dataclass(frozen=True, slots=True)
class Policy:
    """`commands` by command class, or for all commands of an aggregate by their union; `reads` by category.

    What is said of one class goes before what is said of its union.
    """

    commands: Mapping[Any, Grants]
    reads: Mapping[str, Grants]

    def __post_init__(self) -> None:
        unions = {cls: grants for union, grants in self.commands.items() for cls in get_args(union)}
        classes = {cls: grants for cls, grants in self.commands.items() if not get_args(cls)}
        object.__setattr__(self, "commands", {**unions, **classes})

    def command_scope(self, principal: Principal, command: type) -> Scope:
        return _scope(principal, self.commands.get(command, {}))

    def read_scope(self, principal: Principal, category: str) -> Scope:
        return _scope(principal, self.reads.get(category, {}))


def _scope(principal: Principal, grants: Grants) -> Scope:
    scopes = [grants[role] for role in principal.roles if role in grants]
    if not scopes:
        raise Forbidden("Your roles do not allow this.")
    return max(scopes)


def sees(principal: Principal, scope: Scope) -> Callable[[Owned], bool] | None:
    """The predicate of a record-level permission; None when every record is seen."""
    if scope is Scope.ALL:
        return None
    if scope is Scope.TEAM:
        return lambda owned: owned.owner_id is None or owned.owner_team in principal.teams
    return lambda owned: owned.owner_id is None or owned.owner_id == principal.sub


# The same permission as SQL on a view's columns; `{}` stands for what `seen_as` gives.
VISIBLE = {
    Scope.ALL: "true",
    Scope.TEAM: "(owner_id IS NULL OR owner_team = ANY({}::text[]))",
    Scope.OWN: "(owner_id IS NULL OR owner_id = {})",
}


def seen_as(principal: Principal, scope: Scope) -> Sequence[Any]:
    if scope is Scope.ALL:
        return ()
    return (sorted(principal.teams),) if scope is Scope.TEAM else (principal.sub,)
