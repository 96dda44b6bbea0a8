"""`crm run`: the whole product on one machine, from nothing to a printed page that says how to use it."""

import importlib
import json
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import httpx
from kernel.runtime.settings import Events
from rich.console import Console
from rich.status import Status

from crm.local import ROOT, Local, write_whole
from crm.people import USERS
from crm.stack import Stack


class Stopped(BaseException):
    """Somebody asked us to end."""


def run(local: Local, *, events: Events, port_base: int, demo: bool, ready_file: Path | None) -> None:
    console = Console(highlight=False)
    with stopping_quietly(console), local.held():
        with Stack(local, events=events, port_base=port_base) as stack:
            with Progress(console) as progress:
                stack.start(progress.tell)
                local.note_running({"pid": os.getpid(), "urls": stack.urls})
                if demo:
                    seed(local, stack, progress)
                said = describe(local, stack)
            local.note_running(said)
            if ready_file:
                write_whole(ready_file, json.dumps(said))
            print_page(console, local, said)
            try:
                stack.watch()
            finally:
                console.print("\nStopping …")
        local.note_ended()


class Progress:
    """One line that moves at a terminal; only what is finished elsewhere."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._status = Status("Starting", console=console)

    def __enter__(self) -> "Progress":
        if self._console.is_terminal:
            self._status.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._status.stop()

    def tell(self, what: str) -> None:
        if what.endswith("…"):
            self._status.update(what)
        else:
            self._console.print(f"  {what}")


@contextmanager
def stopping_quietly(console: Console) -> Iterator[None]:
    """The first signal unwinds everything in good order; later ones would only disturb that."""
    asked = False

    def stop(_: int, __: FrameType | None) -> None:
        nonlocal asked
        if not asked:
            asked = True
            raise Stopped

    for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(name, stop)
    try:
        yield
    except Stopped:
        console.print("Everything has stopped; the data stays.")


def seed(local: Local, stack: Stack, progress: Progress) -> None:
    """The generated company is part of a checkout, not of the command line's package."""
    if not (ROOT / "demo" / "company.py").exists():
        return
    sys.path.insert(0, str(ROOT))
    company: Any = importlib.import_module("demo.company")
    company.seed(stack.urls, local.token("admin"), stack.notes / "demo.json", progress.tell)


def describe(local: Local, stack: Stack) -> dict[str, Any]:
    return {
        "pid": os.getpid(),
        "urls": stack.urls,
        "console": console_link(local, stack),
        "tokens": {role: local.token(role) for role in USERS},
        "folder": str(local.folder),
        "logs": {name: str(stack.log_of(name)) for name in stack.names},
    }


def console_link(local: Local, stack: Stack) -> str | None:
    """A link that signs its first visitor in; None while analytics offers no console."""
    url = stack.urls.get("analytics")
    if url is None:
        return None
    headers = {"Authorization": f"Bearer {local.token('admin')}", "Idempotency-Key": f"console-{os.getpid()}"}
    try:
        answer = httpx.post(f"{url}/v1/console-links", headers=headers, json={}, timeout=5, trust_env=False)
        link = str(answer.json()["url"]) if answer.is_success else None
    except (httpx.HTTPError, KeyError, ValueError):
        return None
    return f"{url}{link}" if link and link.startswith("/") else link


def print_page(console: Console, local: Local, said: dict[str, Any]) -> None:
    console.print("\n[bold green]Guanxi is running.[/bold green]\n")
    places = {name: f"{url}/docs" for name, url in said["urls"].items()}
    if said["console"]:
        places["console"] = said["console"]
    for name, place in (places | {"data": local.folder, "logs": local.logs}).items():
        # Never cut off or broken: these are for copying.
        console.print(f"  [bold]{name:<15}[/bold]{place}", soft_wrap=True)
    console.print("\nTokens for 12 hours (`crm token --role ROLE` makes another one):\n")
    for role, token in said["tokens"].items():
        console.print(f"  [bold]{role}[/bold]", soft_wrap=True)
        console.print(f"  {token}", soft_wrap=True)
    first = next(iter(said["urls"].values()))
    console.print(f'\nTry it: curl -H "Authorization: Bearer $TOKEN" {first}/v1/companies', soft_wrap=True)
    console.print("Ctrl-C stops everything; the data stays. `make reset` removes it.")
