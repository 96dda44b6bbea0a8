"""Where records belong to someone: a colleague's looks like one that is not there."""

from collections.abc import Sequence
from typing import ClassVar
from uuid import UUID

import httpx
import pytest
from kernel.testing.fixtures import api
from kernel.web.app import App

from tests.support.manners import Manners
from tests.support.requests import UNKNOWN, code_of
from tests.support.untouched import untouched


class ManneredAndHiding(Manners):
    # Who has the right roles and teams, but not for the records of these operations.
    colleague: ClassVar[UUID]
    roles: ClassVar[Sequence[str]] = ("sales_rep", "sales_manager")
    teams: ClassVar[Sequence[str]] = ("north",)
    owned: ClassVar[Sequence[str]]

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        super().pytest_generate_tests(metafunc)
        if "owned" in metafunc.fixturenames:
            metafunc.parametrize("owned", self.owned)

    async def test_someone_elses_record_looks_like_a_missing_one(
        self, app: App, admin: httpx.AsyncClient, dsn: str, owned: str
    ) -> None:
        record = await self.record(admin, owned)
        colleague = api(app, *self.roles, subject=self.colleague, teams=self.teams)
        async with colleague as client, untouched(dsn):
            for headers in ({}, {"If-Match": '"v1"'}):
                hidden = await self.send(client, owned, record, headers=headers)
                missing = await self.send(client, owned, UNKNOWN, headers=headers)
                assert code_of(hidden) == code_of(missing) == (404, "NOT_FOUND")
                assert hidden.json()["detail"] == missing.json()["detail"]
