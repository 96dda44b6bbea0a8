"""Every command that a README shows is run here, by another test that is named here, or by CI itself."""

import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from crm import services
from crm.local import ROOT
from kernel.testing.servers import temporary_folder

from tests.ports import free_ports
from tests.system.crm_processes import environment

pytestmark = pytest.mark.timeout(400)

PAGES = ["README.md", "demo/README.md", *(f"services/{name}/README.md" for name in services.NAMES)]
COMMANDS = re.compile(r"(?:\.venv/bin/)?(?:make|crm|curl|apt-get)(?: [^`]*)?")
RUN_BY = {
    "make": "test_the_list_of_targets_names_what_the_readme_names",
    ".venv/bin/crm --help": "test_the_list_of_targets_names_what_the_readme_names",
    "make run": "test_make_run.py",
    "make run EVENTS=kafka": "test_make_run.py",
    'curl -H "Authorization: Bearer $TOKEN" http://127.0.0.1:8102/v1/opportunities?limit=3': "test_make_run.py",
    'curl -H "Authorization: Bearer $TOKEN" http://127.0.0.1:8104/v1/retention': "test_make_run.py",
    "crm run": "test_make_run.py",
    "crm config": "test_crm_cli.py",
    "crm run --no-demo": "test_make_run.py",
    "make demo-real DATA=folder": "test_figures_of_ones_own_files_are_those_of_a_plain_count",
    "make bench": "test_the_bench_measures_and_says_what_it_did",
    "crm verify": "test_what_a_view_cannot_take_waits_and_is_taken_in_order.py, by System.findings",
    "crm feed opportunities": "test_make_run.py",
    "crm parked analytics --release": "test_what_a_view_cannot_take_waits_and_is_taken_in_order.py",
    "crm restored": "test_a_restored_backup_begins_another_incarnation.py",
    "crm rebuild": "test_figures_equal_an_independent_count.py",
    'crm import customers.csv --map customers.toml --to http://127.0.0.1:8101 --token "$TOKEN"': "test_crm_import.py",
    "make test": ".ci/run",
    "apt-get install -y openjdk-17-jre-headless maven chromium postgresql-15": ".ci/run, each where it is missing",
}

ACCOUNTS = """account,sector,year_established,revenue,employees,office_location,subsidiary_of
Huaxia,machines,1996,1100.04,2822,China,
Nordwind,machines,2001,9.5,12,Norway,Huaxia
"""
PIPELINE = """opportunity_id,sales_agent,product,account,deal_stage,engage_date,close_date,close_value
A,Ada,GTXPro,Huaxia,Won,2016-10-20,2017-03-01,1054
B,Ada,MG Special,Nordwind,Lost,2016-10-25,2017-03-11,0
C,Grace,MG Special,,Engaging,2016-11-25,,
D,Grace,GTX Basic,,Prospecting,,,
"""
TEAMS = "sales_agent,manager,regional_office\nAda,Mei,East\nGrace,Mei,East\n"
ORDERS = " 00001 19970101  1   11.77\n 00001 19970212  5   77.00\n 00002 19970201  1    0.00\n"


def commands_of(page: str) -> Iterator[str]:
    """Whatever stands in a block for a shell, and whatever in a sentence begins like a command."""
    prose, *blocks = re.split(r"^```", (ROOT / page).read_text(), flags=re.MULTILINE)
    for block, after in zip(blocks[::2], blocks[1::2], strict=True):
        language, _, lines = block.partition("\n")
        prose += after
        if language in ("", "sh"):
            yield from (line.split("  #")[0].strip() for line in lines.splitlines())
    for words in re.findall(r"`([^`]+)`", prose):
        yield " ".join(words.split())


@pytest.mark.parametrize("page", PAGES)
def test_whatever_a_readme_shows_is_run_by_something(page: str) -> None:
    shown = {command for command in commands_of(page) if COMMANDS.fullmatch(command)}
    assert shown <= set(RUN_BY), shown - set(RUN_BY)


def test_nothing_is_kept_here_that_no_readme_shows_any_more() -> None:
    shown = {command for page in PAGES for command in commands_of(page)}
    assert set(RUN_BY) <= shown, set(RUN_BY) - shown


def test_the_list_of_targets_names_what_the_readme_names() -> None:
    told = run("make")
    for command in RUN_BY:
        if command.startswith("make "):
            assert f"make {command.split()[1]} " in told
    told = run(".venv/bin/crm --help")
    assert all(f" {command.split()[1]} " in told for command in RUN_BY if command.startswith("crm "))


def test_figures_of_ones_own_files_are_those_of_a_plain_count() -> None:
    files = {"accounts.csv": ACCOUNTS, "sales_pipeline.csv": PIPELINE, "sales_teams.csv": TEAMS}
    with temporary_folder() as name:
        data = Path(name, "data")
        data.mkdir()
        for file, text in (files | {"CDNOW_master.txt": ORDERS}).items():
            (data / file).write_text(text)
        said = {
            "CRM_LOCAL": str(Path(name, "local")),
            "CRM_PORT_BASE": str(free_ports(len(services.NAMES))[0]),
        }
        told = run(f"make demo-real DATA={shlex.quote(str(data))}", **said)
    rows = {
        cells[0]: cells[1:]
        for line in told.splitlines()
        if len(cells := re.split(r"[│┃ ]{2,}", line.strip("│ "))) > 2
    }
    assert rows["won value"][:2] == ["1054.00 USD", "1054.00 USD"], told
    assert rows["customers"][:2] == ["2", "2"]


def test_the_bench_measures_and_says_what_it_did() -> None:
    told = run("make bench ONLY=memory SECONDS=1 ROUNDS=1")
    assert "synchronous_commit" in told
    assert "made durable in" in told
    assert "fsync" in told
    assert all(name in told for name in services.NAMES)


def run(command: str, **said: str) -> str:
    done = subprocess.run(
        shlex.split(command),
        cwd=ROOT,
        env=environment(**said) | {"COLUMNS": "200"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout
