"""The harness's hand on the wires: who lies between whom, and what is done to it."""

import json
import subprocess
import sys
import threading
from pathlib import Path
from types import TracebackType
from typing import Self

ROOT = Path(__file__).resolve().parents[3]


class Wires:
    """Ends with its `with`; whoever talks through it loses its connections then."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None
        self._one_at_a_time = threading.Lock()

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.chaos.live.wire_process"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process:
            assert self._process.stdin
            assert self._process.stdout
            self._process.stdin.close()
            self._process.wait(10)
            self._process.stdout.close()

    def lay(self, name: str, at: str, to: str) -> None:
        """Addresses are `host:port`, or the path of a unix socket."""
        self._say(name=name, at=at, to=to)

    def set(self, name: str, mode: str, delay: float = 0.0) -> None:
        self._say(name=name, mode=mode, delay=delay)

    def _say(self, **words: object) -> None:
        assert self._process
        assert self._process.stdin
        assert self._process.stdout
        with self._one_at_a_time:
            self._process.stdin.write(json.dumps(words) + "\n")
            self._process.stdin.flush()
            assert self._process.stdout.readline() == "done\n", "the wires' process has ended"
