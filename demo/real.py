"""Loads two public data sets through the API and compares the product's figures with a plain count of the files.

The commands of a deal come in three passes and every pass in another order, as if several systems told them:
what the figures say must not depend on when something is heard.
"""

import asyncio
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import datetime
from pathlib import Path
from random import Random

from crm.failures import Failure
from crm.importing.job import Journal, Slice, carry_out, make_slices
from crm.importing.mapping import RowMap, read_map
from crm.importing.rows import NumberedRow, read_rows
from crm.local import Local, default_folder, port_base
from crm.sending import Item, Sender
from crm.stack import Stack
from kernel.domain.clock import now
from kernel.domain.ids import named_id
from kernel.runtime.guarded import ServerProblem
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from demo.answers import ask
from demo.counting import Figures, count, find_files, rows_of

MAPS = Path(__file__).parent / "maps"
# Beside the ports of `make run`, which may be running.
PORT_BASE = 8201
PIPELINE = str(named_id("maven/pipeline"))
BEFORE_EVERYTHING = "2016-01-01T00:00:00+08:00"
# What a second load meets once the keys of the first have expired.
THERE = ("COMPANY_EXISTS", "OPPORTUNITY_EXISTS", "ORDER_EXISTS", "PIPELINE_EXISTS")

Told = Callable[[Slice], None]


def main() -> None:
    if len(sys.argv) != 2 or not Path(sys.argv[1]).is_dir():
        sys.exit("demo-real: say where the data lies: make demo-real DATA=path")
    try:
        same = load_and_compare(Path(sys.argv[1]), Console(highlight=False))
    except (Failure, ServerProblem) as problem:
        sys.exit(f"demo-real: {problem}")
    except KeyboardInterrupt:
        sys.exit("demo-real: stopped; the next run goes on from here.")
    sys.exit(0 if same else "demo-real: the figures differ.")


def load_and_compare(folder: Path, console: Console) -> bool:
    files = find_files(folder)
    local = Local(default_folder() / "real")
    with started(local, console) as urls:
        loaded_at = asyncio.run(load(files, urls, local, console))
        answered = ask(urls, local.token("admin"), PIPELINE, loaded_at)
    console.print(comparison(count(files), answered))
    console.print(f"To look around: crm run --no-demo --data {local.folder}", soft_wrap=True)
    return all(answered.get(name) == value for name, value in count(files).items())


@contextmanager
def started(local: Local, console: Console) -> Iterator[Mapping[str, str]]:
    """The system over this folder: the one that runs already, or one of our own."""
    running = local.running()
    if running and local.is_held():
        yield running["urls"]
        return
    with ExitStack() as stack:
        stack.enter_context(local.held())
        own = stack.enter_context(Stack(local, port_base=port_base(PORT_BASE)))
        own.start(lambda what: None if what.endswith("…") else console.print(f"  {what}"))
        yield own.urls


async def load(
    files: Mapping[str, Path], urls: Mapping[str, str], local: Local, console: Console
) -> datetime:
    """When the last command was answered."""
    token = local.token("admin")
    deals = shuffled_deals(files)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    async with Sender(urls["contacts"], token) as contacts, Sender(urls["opportunities"], token) as sales:
        await define_pipeline(sales)
        with Progress(*columns, console=console) as progress:

            async def send(sender: Sender, name: str, rows: Sequence[NumberedRow]) -> None:
                bar = progress.add_task(name, total=len(rows))
                mapping = read_map(MAPS / f"{name}.toml")
                await send_rows(
                    sender, mapping, rows, local, lambda slice_: progress.advance(bar, len(slice_.rows))
                )

            async def deals_in_three_passes() -> None:
                for name, rows in deals.items():
                    await send(sales, name, rows)

            companies = read_rows(files["accounts.csv"], read_map(MAPS / "companies.toml"))
            orders = [
                (number, row)
                for number, row in read_rows(files["CDNOW_master.txt"], read_map(MAPS / "orders.toml"))
                if row["date"] != "date"  # some copies of the file have a line of names
            ]
            await asyncio.gather(
                send(contacts, "companies", shuffled("companies", companies)),
                deals_in_three_passes(),
                send(sales, "orders", shuffled("orders", orders)),
            )
    return now()


async def send_rows(
    sender: Sender, mapping: RowMap, rows: Sequence[NumberedRow], local: Local, told: Told
) -> None:
    refused = local.folder / f"{mapping.name}.refused.csv"
    journal = Journal(local.folder / f"{mapping.name}.state", refused, mapping.digest)
    await carry_out(sender, make_slices(rows, mapping), journal, under_way=2, told=told)
    unexpected = [row for row in rows_of(refused) if row["code"] not in THERE] if refused.exists() else []
    if unexpected:
        raise Failure(f"{len(unexpected)} rows were refused; {refused} says why.")


async def define_pipeline(sales: Sender) -> None:
    stages = [
        {"stage_id": "prospecting", "name": "Prospecting", "milestone": "lead"},
        {"stage_id": "engaging", "name": "Engaging", "milestone": "first_contact"},
    ]
    item = Item(
        key="maven-pipeline",
        command="pipelines.define",
        id=PIPELINE,
        data={"name": "Maven", "stages": stages},
        occurred_at=BEFORE_EVERYTHING,
    )
    for outcome in await sales.send([item]):
        if outcome.problem and outcome.problem.get("code") not in THERE:
            raise Failure(f"The pipeline was refused: {outcome.problem.get('detail')}")


def shuffled_deals(files: Mapping[str, Path]) -> dict[str, list[NumberedRow]]:
    """The rows of each pass, with the team of their agent."""
    teams = {row["sales_agent"]: row["regional_office"].lower() for row in rows_of(files["sales_teams.csv"])}
    rows = [
        (number, row | {"team": teams.get(row["sales_agent"], "")})
        for number, row in enumerate(rows_of(files["sales_pipeline.csv"]), start=1)
    ]
    return {name: shuffled(name, rows) for name in ("deals-created", "deals-engaged", "deals-closed")}


def shuffled(seed: str, rows: Iterable[NumberedRow]) -> list[NumberedRow]:
    """Always the same way, so that a load that goes on meets the same slices."""
    mixed = list(rows)
    Random(seed).shuffle(mixed)
    return mixed


def comparison(expected: Figures, answered: Figures) -> Table:
    table = Table("figure", "counted", "answered", "", box=None, padding=(0, 2))
    for name, value in expected.items():
        said = answered.get(name, "nothing")
        table.add_row(name, value, said, "[green]same[/green]" if said == value else "[red]differs[/red]")
    return table


if __name__ == "__main__":
    main()
