"""An import again, when no key of the first one helps any more: no record is made twice, nothing is redone unasked."""

import json
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID

import asyncpg
import pytest
from crm.importing.mapping import read_map
from crm.migrating import upgrade
from kernel.runtime.embedded import EmbeddedPostgres
from kernel.testing.fixtures import ADMIN
from kernel.testing.servers import fresh_database

from tests.system.importing import (
    Contacts,
    import_command,
    imported,
    kill_when_under_way,
    refused_rows,
    served_contacts,
)

SOMEBODY_ELSE = UUID("00000000-0000-7000-8000-0000000e15e0")
ROWS = 6000
WITHOUT_IDS = """
service = "contacts"

[[command]]
command = "companies.register"
data = { name = "name" }
"""
WITH_AN_UPDATE = """
service = "contacts"
unique = "name"

[[command]]
command = "contacts.register"
id = "again/contact/{name}"
data = { name = "name" }

[[command]]
command = "contacts.link"
id = "again/contact/{name}"
data = { company_id = { id = "again/company" } }
"""


@pytest.fixture(scope="module")
async def contacts(postgres_server: EmbeddedPostgres) -> AsyncIterator[Contacts]:
    url = postgres_server.url(fresh_database(postgres_server))
    await upgrade(url, "contacts")
    with served_contacts(url) as served:
        yield served


def write_files(folder: Path, name: str, mapping: str, rows: int) -> tuple[Path, Path]:
    file, map_file = folder / f"{name}.csv", folder / f"{name}.toml"
    file.write_text("\n".join(["name", *(f"{name} {number}" for number in range(rows))]))
    map_file.write_text(mapping)
    return file, map_file


async def forget_all_keys(contacts: Contacts) -> None:
    """What the purge does after 72 hours."""
    connection = await asyncpg.connect(contacts.database_url.replace("+asyncpg", ""))
    try:
        await connection.execute("DELETE FROM idempotency")
    finally:
        await connection.close()


async def test_a_file_imported_again_after_its_keys_have_expired_makes_no_record_twice(
    contacts: Contacts, tmp_path: Path
) -> None:
    file, map_file = write_files(tmp_path, "expired", WITHOUT_IDS, 20)
    before = contacts.newest()
    assert imported(file, map_file, contacts)[0] == 0
    await forget_all_keys(contacts)
    code, told = imported(file, map_file, contacts)
    assert contacts.newest() - before == 20
    assert (code, "20 refused" in told) == (1, True), told
    assert {row["code"] for row in refused_rows(file, "expired")} == {"COMPANY_EXISTS"}


def test_a_file_imported_again_by_somebody_else_makes_no_record_twice(
    contacts: Contacts, tmp_path: Path
) -> None:
    file, map_file = write_files(tmp_path, "other", WITHOUT_IDS, 20)
    before = contacts.newest()
    assert imported(file, map_file, contacts)[0] == 0
    assert imported(file, map_file, contacts, SOMEBODY_ELSE)[0] == 1
    assert contacts.newest() - before == 20


def test_a_killed_import_that_only_creates_goes_on_for_somebody_else_and_makes_no_record_twice(
    contacts: Contacts, tmp_path: Path
) -> None:
    file, map_file = write_files(tmp_path, "taken-over", WITHOUT_IDS, ROWS)
    before = contacts.newest()
    command, state = import_command(file, map_file, contacts), tmp_path / "taken-over.csv.taken-over.state"
    kill_when_under_way(command, state)
    _, told = imported(file, map_file, contacts, SOMEBODY_ELSE)
    assert "Going on after" in told
    assert contacts.newest() - before == ROWS


def test_a_killed_import_with_updates_goes_on_for_its_own_principal_in_time_only(
    contacts: Contacts, tmp_path: Path
) -> None:
    file, map_file = write_files(tmp_path, "linked", WITH_AN_UPDATE, ROWS // 2)
    state = tmp_path / "linked.csv.linked.state"
    command = import_command(file, map_file, contacts)
    kill_when_under_way(command, state)
    noted, before = json.loads(state.read_text()), contacts.newest_once_quiet()
    assert command[-1] not in state.read_text()

    code, told = imported(file, map_file, contacts, SOMEBODY_ELSE)
    assert code == 1
    assert f"was begun by another principal ({ADMIN})" in told
    begun = datetime.fromisoformat(noted["begun"]) - timedelta(hours=61)
    state.write_text(json.dumps(noted | {"begun": begun.isoformat()}))
    code, told = imported(file, map_file, contacts)
    assert code == 1
    assert "was begun more than 60 hours ago" in told
    assert contacts.newest() == before

    state.write_text(json.dumps(noted))
    code, told = imported(file, map_file, contacts)
    assert code == 0, told
    assert f"{ROWS // 2} rows, {ROWS} commands" in told


def test_a_record_that_the_map_gives_no_id_has_the_same_one_each_time(tmp_path: Path) -> None:
    _, map_file = write_files(tmp_path, "ids", WITHOUT_IDS, 1)
    mapping = read_map(map_file)
    first, again, other = (
        next(mapping.items(number, {"name": name})) for number, name in [(1, "A"), (1, "A"), (2, "A")]
    )
    assert first.id is not None
    assert first.id == again.id != other.id
