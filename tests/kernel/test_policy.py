"""Permissions: the widest scope of all roles counts, silence allows nothing, and a list shows what a read shows."""

from dataclasses import dataclass
from itertools import product
from uuid import UUID

import pytest
from kernel.domain.errors import Forbidden
from kernel.web.auth import Principal, Role
from kernel.web.policy import VISIBLE, Policy, Scope, seen_as, sees

from tests.kernel.toys import ADA, BOB, Toy

policy = Policy(
    commands={str: {Role.SALES_REP: Scope.OWN, Role.SALES_MANAGER: Scope.TEAM, Role.ADMIN: Scope.ALL}},
    reads={"note": {Role.SALES_REP: Scope.OWN}},
)


def who(*roles: Role, teams: tuple[str, ...] = (), sub: UUID = ADA) -> Principal:
    return Principal(sub, frozenset(roles), frozenset(teams), 0)


def test_the_widest_of_ones_roles_counts() -> None:
    assert policy.command_scope(who(Role.SALES_REP), str) is Scope.OWN
    assert policy.command_scope(who(Role.SALES_REP, Role.SALES_MANAGER), str) is Scope.TEAM
    assert policy.command_scope(who(Role.ADMIN, Role.ANALYST), str) is Scope.ALL


@pytest.mark.parametrize("roles", [(), (Role.ANALYST,), (Role.SERVICE, Role.SERVICE_AGENT)])
def test_what_is_not_granted_is_refused(roles: tuple[Role, ...]) -> None:
    with pytest.raises(Forbidden):
        policy.command_scope(who(*roles), str)
    with pytest.raises(Forbidden):
        policy.read_scope(who(*roles), "note")
    with pytest.raises(Forbidden):
        policy.command_scope(who(Role.ADMIN), int)
    with pytest.raises(Forbidden):
        policy.read_scope(who(Role.ADMIN), "secret")


@dataclass(frozen=True, slots=True)
class Record:
    owner_id: UUID | None
    owner_team: str | None


async def test_a_list_shows_exactly_what_a_read_would_show(toy: Toy) -> None:
    records = [Record(owner, team) for owner, team in product((None, ADA, BOB), (None, "east", "west"))]
    await toy.rows("CREATE TEMPORARY TABLE owned (owner_id uuid, owner_team text)")
    for record in records:
        await toy.rows("INSERT INTO owned VALUES ($1, $2)", record.owner_id, record.owner_team)
    for scope, teams in product(Scope, ((), ("east",), ("east", "west"))):
        principal = who(Role.SALES_MANAGER, teams=teams)
        statement = f"SELECT * FROM owned WHERE {VISIBLE[scope].format('$1')}"
        shown = {Record(*row.values()) for row in await toy.rows(statement, *seen_as(principal, scope))}
        may_see = sees(principal, scope)
        assert shown == {record for record in records if may_see is None or may_see(record)}
