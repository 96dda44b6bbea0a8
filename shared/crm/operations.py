"""What operators do to one service's database: verify, rebuild, parked, restored."""

import gc
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

import typer
import uvloop
from kernel.messaging.erasures import ErasuresUnknown
from kernel.messaging.erasures import restored as set_right
from kernel.messaging.making import AnotherRebuild
from kernel.messaging.operations import Operations
from kernel.messaging.rebuild import NotEqual
from kernel.messaging.service import Node
from kernel.runtime.embedded import EmbeddedPostgres
from kernel.runtime.settings import ServiceSettings
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from crm import configuration, databases, services
from crm.failures import Failure
from crm.local import Local

Answer = TypeVar("Answer")


def verify(service: str, folder: Path | None) -> None:
    findings = _with_node(service, folder, _verify)
    if any(wrong for wrong in findings):
        raise typer.Exit(1)


def rebuild(service: str, view: str, folder: Path | None) -> None:
    version = _with_node(service, folder, lambda node: _rebuild(node, view))
    print(f"{view} is live in version {version}.")


def parked(service: str, folder: Path | None, *, release: bool, view: str | None) -> None:
    if release:
        print(f"{_with_node(service, folder, lambda node: Operations(node).unpark(view))} records released.")
        return
    for row in _with_node(service, folder, lambda node: Operations(node).parked()):
        if view in (None, row["follower"]):
            print(f"{row['position']} {row['source']} {row['stream_id']} {row['follower']}: {row['error']}")


def restored(service: str, folder: Path | None) -> None:
    try:
        incarnation, again = _with_node(service, folder, set_right)
    except ErasuresUnknown as error:
        raise Failure(
            f"{error}: without it nobody knows whom the restore has brought back, so nothing was done "
            "(if nobody was ever erased, CRM_ERASURES_FILE may name an empty file)."
        ) from None
    print(f"Incarnation {incarnation} has begun; {again} persons were erased again.")


def _with_node(name: str, folder: Path | None, work: Callable[[Node], Awaitable[Answer]]) -> Answer:
    """Runs on the database that the settings name, or on the development system's."""
    name = services.known(name)
    if "CRM_DATABASE_URL" in os.environ:
        return uvloop.run(_run(name, configuration.load(), work))
    local = Local(folder)
    server = EmbeddedPostgres(local.postgres)
    said: dict[str, Any] = {key.removeprefix("CRM_").lower(): value for key, value in local.secrets().items()}
    said |= {
        "environment": "development",
        "jwks_file": local.key().jwks_file,
        "erasures_file": local.erasures(name),
        "database_url": databases.of_service(server.dsn("postgres"), name),
    }
    settings = ServiceSettings(**said)
    if local.is_held():
        return uvloop.run(_run(name, settings, work))
    with local.held(), server:
        return uvloop.run(_run(name, settings, work))


async def _run(name: str, settings: ServiceSettings, work: Callable[[Node], Awaitable[Answer]]) -> Answer:
    # These commands make millions of objects and hardly a cycle: looking for some was nearly half of a rebuild.
    gc.set_threshold(50_000, 20, 100)
    await databases.check(settings.database_url)
    async with _node(name, settings) as node:
        return await work(node)


@asynccontextmanager
async def _node(name: str, settings: ServiceSettings) -> AsyncIterator[Node]:
    node = Node(services.load(name).service, settings)
    node.committer.start()
    try:
        yield node
    finally:
        await node.close()


async def _verify(node: Node) -> list[str]:
    console, wrong = Console(), []
    with console.status("Verifying …"):
        async for finding in Operations(node).verify():
            console.print(
                f"{finding.check}: {finding.wrong or 'good'} ({finding.looked_at:,})", highlight=False
            )
            wrong.append(finding.wrong)
    return wrong


async def _rebuild(node: Node, view: str) -> int:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, transient=True) as progress:
        task = progress.add_task(view)
        try:
            return await Operations(node).rebuild(
                view, lambda done, total: progress.update(task, completed=done, total=total)
            )
        except (LookupError, NotEqual, AnotherRebuild) as error:
            raise Failure(f"{error}.") from None
