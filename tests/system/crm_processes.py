"""What the tests of the command line share: processes of it, and a service to talk to."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
from crm.local import ROOT

# For a machine that has much else to do.
PATIENCE = 120.0


def environment(**said: str) -> dict[str, str]:
    """Ours, without what a developer's shell says about a system of its own."""
    return {name: value for name, value in os.environ.items() if not name.startswith("CRM_")} | said


def start(*arguments: str, **said: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "crm", *arguments],
        cwd=ROOT,
        env=environment(**said),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@contextmanager
def ended_afterwards(process: "subprocess.Popen[str]") -> Iterator["subprocess.Popen[str]"]:
    try:
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            process.wait(PATIENCE)
        if process.stdout:
            process.stdout.close()


def await_ready(url: str, process: "subprocess.Popen[str]") -> None:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if httpx.get(f"{url}/readyz", trust_env=False).is_success:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.1)
    raise AssertionError(f"not ready: {last_words(process)}")


def await_file(path: Path, process: "subprocess.Popen[str]") -> dict[str, Any]:
    deadline = time.monotonic() + PATIENCE
    while not path.exists():
        if process.poll() is not None or time.monotonic() > deadline:
            raise AssertionError(f"no {path}: {last_words(process)}")
        time.sleep(0.05)
    found: dict[str, Any] = json.loads(path.read_text())
    return found


def last_words(process: "subprocess.Popen[str]") -> str:
    """What it has said; a process that still runs is ended for that."""
    process.terminate()
    return process.communicate(timeout=PATIENCE)[0]


def processes_of(words: str) -> list[int]:
    """Who has these words in its command line, by pid."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            except OSError:
                continue
            if words in line and int(entry.name) != os.getpid():
                found.append(int(entry.name))
    return found
