"""Files become commands: in any of the usual encodings, exactly once, also when the import is killed in the middle."""

import csv
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from crm.failures import Failure
from crm.importing.mapping import read_map
from crm.importing.rows import encoding_of, read_rows
from crm.importing.values import Unconvertible
from crm.migrating import upgrade
from kernel.runtime.embedded import EmbeddedPostgres
from kernel.testing.servers import fresh_database

from tests.system.crm_processes import ended_afterwards, start
from tests.system.importing import (
    Contacts,
    import_command,
    imported,
    kill_when_under_way,
    refused_rows,
    served_contacts,
)

ROWS = 6000
MAP = """
service = "contacts"
unique = "no"

[lookup.sizes]
"大" = "1000"

[[command]]
command = "companies.register"
when = { kind = "firm" }
id = "import/company/{no}"
occurred_at = "since"

[command.data]
name = "name"
employees = { column = "size", lookup = "sizes", as = "int" }
annual_revenue = { column = "revenue", as = "money", currency = "USD", scale = 6 }
country = { constant = "CN" }
external_ref = { text = "old-{no}" }
parent_company_id = { id = "import/company/{parent}" }
"""
COLUMNS = "no,kind,name,size,revenue,since,parent".split(",")


@pytest.fixture(scope="module")
async def contacts(postgres_server: EmbeddedPostgres) -> "AsyncIterator[Contacts]":
    url = postgres_server.url(fresh_database(postgres_server))
    await upgrade(url, "contacts")
    with served_contacts(url) as served:
        yield served


@pytest.fixture
def map_file(tmp_path: Path) -> Path:
    path = tmp_path / "firms.toml"
    path.write_text(MAP)
    return path


def write_file(path: Path, first: int, rows: int, *, encoding: str = "utf-8") -> Path:
    with path.open("w", encoding=encoding, newline="") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for number in range(first, first + rows):
            writer.writerow([number, "firm", f"长安机械 {number}", "大", "1.5", "2024-03-02", ""])
    return path


def test_a_killed_import_goes_on_and_doubles_nothing(
    contacts: Contacts, map_file: Path, tmp_path: Path
) -> None:
    before = contacts.newest()
    file = write_file(tmp_path / "firms.csv", 0, ROWS, encoding="gb18030")
    state = tmp_path / "firms.csv.firms.state"
    kill_when_under_way(import_command(file, map_file, contacts), state)
    done = contacts.newest() - before
    assert 0 < done < ROWS
    with ended_afterwards(start(*import_command(file, map_file, contacts))) as second:
        told, _ = second.communicate(timeout=60)
    assert second.returncode == 0, told
    assert "Going on after" in told
    assert f"{ROWS} rows" in told
    assert contacts.newest() - before == ROWS
    assert not state.exists()


def test_the_same_file_twice_is_the_same_once(contacts: Contacts, map_file: Path, tmp_path: Path) -> None:
    file = write_file(tmp_path / "again.csv", 50_000, 300)
    before = contacts.newest()
    for words in ("300 rows, 300 commands.", "300 of them known already"):
        with ended_afterwards(start(*import_command(file, map_file, contacts))) as process:
            told, _ = process.communicate(timeout=60)
        assert words in " ".join(told.split())
    assert contacts.newest() - before == 300


def test_refused_rows_are_kept_with_the_reason(contacts: Contacts, map_file: Path, tmp_path: Path) -> None:
    file = tmp_path / "bad.csv"
    lines = [
        "90001,firm,Good,12,1,2024-03-02,",
        "90002,firm,,12,1,2024-03-02,",
        "90003,firm,Many,a dozen,1,2024-03-02,",
        "90004,person,Not asked for,1,1,2024-03-02,",
        "90005,firm,Tomorrow,1,1,2999-01-01,",
    ]
    file.write_text("\n".join([",".join(COLUMNS), *lines]))
    before = contacts.newest()
    with ended_afterwards(start(*import_command(file, map_file, contacts))) as process:
        told, _ = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "3 refused" in told
    assert contacts.newest() - before == 1
    with (tmp_path / "bad.csv.firms.refused.csv").open(encoding="utf-8-sig", newline="") as opened:
        refused = {row["no"]: row for row in csv.DictReader(opened)}
    assert sorted(refused) == ["90002", "90003", "90005"]
    assert refused["90002"]["pointer"] == "#/data/name"
    assert (refused["90003"]["code"], refused["90003"]["row"]) == ("CELL_INVALID", "3")
    assert refused["90005"]["pointer"] == "#/occurred_at"


TWO_COMMANDS = """
service = "contacts"
unique = "no"

[[command]]
command = "companies.register"
id = "two/company/{no}"
data = { name = "name" }

[[command]]
command = "companies.register"
id = "two/branch/{no}{branch}"
data = { name = "name", employees = { column = "size", as = "int" } }
"""


def test_a_row_with_a_bad_cell_does_nothing_at_all(contacts: Contacts, tmp_path: Path) -> None:
    map_file, file = tmp_path / "two.toml", tmp_path / "two.csv"
    map_file.write_text(TWO_COMMANDS)
    file.write_text("no,name,size,branch\n1,Good,7,b\n2,Bad,many,b\n3,No branch,7,\n")
    before = contacts.newest()
    code, told = imported(file, map_file, contacts)
    assert (code, "3 rows, 2 commands, 2 refused" in told) == (1, True), told
    assert contacts.newest() - before == 2
    assert [(row["row"], row["command"], row["pointer"]) for row in refused_rows(file, "two")] == [
        ("2", "companies.register", "size"),
        ("3", "companies.register", "branch"),
    ]


def test_of_two_rows_with_one_number_the_first_is_done_and_the_second_refused(
    contacts: Contacts, map_file: Path, tmp_path: Path
) -> None:
    file = tmp_path / "pair.csv"
    rows = ["95001,firm,First,12,1,2024-03-02,", "95001,firm,Second,12,1,2024-03-02,"]
    file.write_text("\n".join([",".join(COLUMNS), *rows]))
    before = contacts.newest()
    _, told = imported(file, map_file, contacts)
    assert "2 rows, 2 commands, 1 refused" in told
    assert contacts.newest() - before == 1
    (refused,) = refused_rows(file, "firms")
    assert (refused["row"], refused["name"]) == ("2", "Second")
    assert refused["code"] == "IDEMPOTENCY_KEY_REUSED"


def test_a_row_becomes_what_the_map_says(map_file: Path) -> None:
    row = dict(zip(COLUMNS, "7,firm,A,大,1100.04,2024-03-02,6".split(","), strict=True))
    (item,) = read_map(map_file).items(1, row)
    (parent,) = read_map(map_file).items(2, {**row, "no": "6", "parent": ""})
    assert item.occurred_at == "2024-03-02T00:00:00+08:00"
    assert item.data == {
        "name": "A",
        "employees": 1000,
        "annual_revenue": {"amount": "1100040000", "currency": "USD"},
        "country": "CN",
        "external_ref": "old-7",
        "parent_company_id": parent.id,
    }
    assert "parent_company_id" not in parent.data


def test_a_row_keeps_its_key_wherever_it_stands_if_it_has_a_number_of_its_own(map_file: Path) -> None:
    mapping = read_map(map_file)
    row = dict(zip(COLUMNS, "7,firm,A,5,,,".split(","), strict=True))
    assert next(mapping.items(1, row)).key == next(mapping.items(99, row)).key


@pytest.mark.parametrize(
    ("text", "encoding", "found"),
    [
        ("名,name", "utf-8", "utf-8-sig"),
        ("名,name", "utf-8-sig", "utf-8-sig"),
        ("长安,机械", "gb18030", "gb18030"),
    ],
)
def test_the_encoding_of_a_file_is_found(text: str, encoding: str, found: str, tmp_path: Path) -> None:
    path = tmp_path / "file.csv"
    path.write_bytes(text.encode(encoding))
    assert encoding_of(path) == found


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (('service = "contacts"', ""), "'service' is missing"),
        (('as = "int"', 'as = "number"'), "there is no converter 'number'"),
        (('lookup = "sizes"', 'lookup = "weights"'), "'weights' is missing"),
        (('currency = "USD", ', ""), "'currency' is missing"),
        (("occurred_at", "happened_at"), "a command does not know happened_at"),
        (("[command.data]", "[command.data"), "is not valid TOML"),
    ],
)
def test_a_wrong_map_is_refused_before_anything_is_sent(
    change: tuple[str, str], sentence: str, map_file: Path
) -> None:
    map_file.write_text(MAP.replace(*change))
    with pytest.raises(Failure, match=r"firms\.toml") as refused:
        read_map(map_file)
    assert sentence in str(refused.value)


def test_a_column_that_is_not_there_is_named(map_file: Path, tmp_path: Path) -> None:
    file = tmp_path / "short.csv"
    file.write_text("no,kind,name\n1,firm,A\n")
    with pytest.raises(Failure, match="has no column parent, revenue, since, size"):
        list(read_rows(file, read_map(map_file)))


@pytest.mark.parametrize("cell", ["1.5", "x", "1e3", "--1"])
def test_a_number_that_is_none_is_refused(cell: str, map_file: Path) -> None:
    row = dict(zip(COLUMNS, f"7,firm,A,{cell},,,".split(","), strict=True))
    with pytest.raises(Unconvertible, match="not a whole number"):
        list(read_map(map_file).items(1, row))
