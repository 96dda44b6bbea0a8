"""`crm import`: a file, a map, a progress bar, and what became of the rows."""

import asyncio
import os
from pathlib import Path

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from crm.addresses import token_of, url_of
from crm.failures import Failure
from crm.importing.doubt import must_go_on_harmlessly, subject_of
from crm.importing.job import Count, Journal, Slice, carry_out, make_slices
from crm.importing.mapping import RowMap, read_map
from crm.importing.rows import read_rows
from crm.local import Local
from crm.sending import Sender


def import_file(
    file: Path, map_file: Path, *, to: str | None, token: str | None, folder: Path | None, under_way: int
) -> int:
    """How many commands were refused."""
    mapping = read_map(map_file)
    if not file.is_file():
        raise Failure(f"There is no file {file}.")
    local = Local(folder)
    url, token = url_of(mapping.service, to, local), token_of("admin", token, local)
    by = subject_of(token)
    journal = _journal(file, mapping, url, by)
    must_go_on_harmlessly(journal, by, mapping, url)
    console = Console(stderr=True, highlight=False)
    if journal.slices:
        console.print(f"Going on after {journal.count.rows} rows that were imported before.")
    asyncio.run(_run(file, mapping, journal, Sender(url, token), console, under_way))
    console.print(summary(journal.count), soft_wrap=True)
    if journal.count.refused:
        console.print(f"What was refused, and why, is in {journal.refused}", soft_wrap=True)
    return journal.count.refused


def summary(count: Count) -> str:
    again = f", {count.replayed} of them known already" if count.replayed else ""
    refused = f", {count.refused} refused" if count.refused else ""
    return f"{count.rows} rows, {count.commands} commands{again}{refused}."


class Speed(ProgressColumn):
    def render(self, task: Task) -> Text:
        return Text(f"{task.speed or task.finished_speed or 0:.0f} rows/s")


async def _run(
    file: Path, mapping: RowMap, journal: Journal, sender: Sender, console: Console, under_way: int
) -> None:
    columns = (TextColumn(file.name), BarColumn(), MofNCompleteColumn(), TextColumn("rows"))
    with Progress(*columns, Speed(), TimeRemainingColumn(), console=console) as progress:
        total = sum(1 for _ in read_rows(file, mapping))
        bar = progress.add_task("rows", total=total)

        def told(slice_: Slice) -> None:
            progress.advance(bar, len(slice_.rows))

        async with sender:
            slices = make_slices(read_rows(file, mapping), mapping)
            await carry_out(sender, slices, journal, under_way=under_way, told=told)


def _journal(file: Path, mapping: RowMap, url: str, by: str) -> Journal:
    """Beside the file; another file, map or service begins anew."""
    if not os.access(file.parent, os.W_OK):
        raise Failure(f"The folder {file.parent} cannot be written to, and what was refused is kept there.")
    at = file.stat()
    fingerprint = f"{url} {mapping.digest} {at.st_size} {at.st_mtime_ns}"
    return Journal(
        file.with_name(f"{file.name}.{mapping.name}.state"),
        file.with_name(f"{file.name}.{mapping.name}.refused.csv"),
        fingerprint,
        by,
    )
