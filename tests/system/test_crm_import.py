"""Files become commands: in any of the usual encodings, exactly once, also when the import is killed in the middle."""

import csv
import json
import os
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from crm.failures import Failure
from crm.importing.mapping import read_map
from crm.importing.rows import encoding_of, read_rows
from crm.importing.values import Unconvertible
from crm.migrating import upgrade
from kernel.runtime.embedded import EmbeddedPostgres
from kernel.testing.fixtures import MASTER_KEYS, SECRET, make_settings, token
from kernel.testing.servers import fresh_database

from tests.system.crm_processes import await_ready, ended_afterwards, free_ports, start

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


@dataclass(frozen=True, slots=True)
class Contacts:
    url: str
    client: httpx.Client

    def newest(self) -> int:
        """The position of the newest record: every company is one."""
        position = 0
        while True:
            answer = self.client.get("/v1/feed", params={"after": position, "limit": 5000})
            if int(answer.headers["Feed-Position"]) == position:
                return position
            position = int(answer.headers["Feed-Position"])


@pytest.fixture(scope="module")
async def contacts(postgres_server: EmbeddedPostgres) -> "Iterator[Contacts]":  # type: ignore[misc]
    url = postgres_server.url(fresh_database(postgres_server))
    await upgrade(url, "contacts")
    port = free_ports(1)
    said = {
        "CRM_DATABASE_URL": url,
        "CRM_ENVIRONMENT": "development",
        "CRM_EVENTS": "feed",
        "CRM_SIGNING_SECRET": SECRET,
        "CRM_MASTER_KEYS": MASTER_KEYS,
        "CRM_JWKS_FILE": str(make_settings(url).jwks_file),
        "CRM_ROLE": "api",
    }
    with ended_afterwards(start("serve", "contacts", "--port", str(port), **said)) as process:
        address = f"http://127.0.0.1:{port}"
        await_ready(address, process)
        headers = {"Authorization": f"Bearer {token()}"}
        with httpx.Client(base_url=address, headers=headers, trust_env=False) as client:
            yield Contacts(address, client)


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


def import_command(file: Path, map_file: Path, contacts: Contacts) -> list[str]:
    return ["import", str(file), "--map", str(map_file), "--to", contacts.url, "--token", token()]


def test_a_killed_import_goes_on_and_doubles_nothing(
    contacts: Contacts, map_file: Path, tmp_path: Path
) -> None:
    before = contacts.newest()
    file = write_file(tmp_path / "firms.csv", 0, ROWS, encoding="gb18030")
    state = tmp_path / "firms.csv.firms.state"
    with ended_afterwards(start(*import_command(file, map_file, contacts))) as first:
        deadline = time.monotonic() + 30
        while not (state.exists() and json.loads(state.read_text())["slices"] >= 2):
            assert first.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.01)
        os.kill(first.pid, signal.SIGKILL)
        first.wait()
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
