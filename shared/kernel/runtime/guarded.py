"""Runs a server as a child that never outlives this process, however this process ends.

Between us and the server stands a small guard: this very file, run as a script. It holds one end of a pipe.
When the pipe closes (we stopped, were killed, crashed) it stops the server in good order. Guard and server
have a session of their own: a Ctrl-C in the terminal reaches us first and the server only when we are done.
"""

import contextlib
import ctypes
import os
import pwd
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

PR_SET_PDEATHSIG = 1
PR_SET_KEEPCAPS = 8
PR_SET_SECUREBITS = 28
SECBIT_NO_SETUID_FIXUP = 1 << 2
PR_CAP_AMBIENT = 47
PR_CAP_AMBIENT_RAISE = 2
CAP_DAC_OVERRIDE = 1
CAPABILITY_VERSION_3 = 0x20080522


class ServerProblem(Exception):
    """A server could not be started or used; the message is one sentence for the person at the terminal."""


class Guarded:
    """One server process: started, watched, stopped."""

    def __init__(
        self,
        command: Sequence[str | Path],
        *,
        log: Path,
        stop_signal: signal.Signals = signal.SIGTERM,
        grace: float = 20.0,
        user: str | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.log = log
        self.pid = 0
        self._grace = grace
        guard = [sys.executable, "-I", "-S", __file__, str(int(stop_signal)), str(grace), user or ""]
        self._command = [*guard, *(str(part) for part in command)]
        self._environment = dict(os.environ if environment is None else environment)
        self._guard: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self.log.open("ab") as log:
            self._guard = subprocess.Popen(  # noqa: S603
                self._command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env=self._environment,
                start_new_session=True,
            )
        assert self._guard.stdout  # noqa: S101
        told = self._guard.stdout.readline()
        if not told:
            self.stop()
            raise ServerProblem(f"{self._command[7]} could not be executed; {self.log} says why.")
        self.pid = int(told)

    @property
    def running(self) -> bool:
        return self._guard is not None and self._guard.poll() is None

    def wait(self, timeout: float | None = None) -> int:
        """Wait for a command that ends by itself and return its exit status."""
        if self._guard is None:
            return 0
        status = self._guard.wait(timeout)
        self.stop()
        return status

    def stop(self) -> None:
        """Stop the server in good order and wait until it is gone; harmless when it is gone already."""
        if (guard := self._guard) is None:
            return
        for pipe in (guard.stdin, guard.stdout):
            if pipe:
                pipe.close()
        guard.wait(self._grace + 10)
        self._guard = None

    def kill(self) -> None:
        """What a power cut does to a process: no goodbye."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
        self.stop()


def guard(stop_signal: signal.Signals, grace: float, user: str, command: Sequence[str]) -> int:
    """The life of the guard: start the server, tell its pid, wait for its end or for ours."""
    server = subprocess.Popen(  # noqa: S603
        command,
        stdin=subprocess.DEVNULL,
        stdout=sys.stderr,
        stderr=sys.stderr,
        preexec_fn=become(user, stop_signal),  # noqa: PLW1509 - the guard has one thread at this point
    )

    def stop() -> None:
        server.send_signal(stop_signal)
        try:
            server.wait(grace)
        except subprocess.TimeoutExpired:
            server.kill()

    def stop_when_nobody_needs_it() -> None:
        while os.read(0, 1):
            pass
        stop()

    signal.signal(signal.SIGTERM, lambda *_: os.kill(server.pid, stop_signal))
    threading.Thread(target=stop_when_nobody_needs_it, daemon=True).start()
    with contextlib.suppress(BrokenPipeError):
        print(server.pid, flush=True)
    return server.wait()


def become(user: str, last_word: signal.Signals) -> Callable[[], None]:
    """What the server's process does before it becomes the server."""
    account = pwd.getpwnam(user) if user else None
    libc = ctypes.CDLL(None, use_errno=True)
    linux = sys.platform == "linux"

    def prepare() -> None:
        if account:
            if linux:
                prctl(libc, PR_SET_KEEPCAPS, 1)
                # Without this, access(2), by which PostgreSQL looks for its own programs, forgets the rights.
                prctl(libc, PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP)
            os.initgroups(account.pw_name, account.pw_gid)
            os.setgid(account.pw_gid)
            os.setuid(account.pw_uid)
            if linux:
                keep_reading_rights(libc)
        if linux:
            # A guard that is itself killed takes the server along.
            prctl(libc, PR_SET_PDEATHSIG, int(last_word))

    return prepare


def keep_reading_rights(libc: ctypes.CDLL) -> None:
    """Let the unprivileged user pass through folders that only root may enter.

    PostgreSQL refuses to run as root, but the checkout of a root user often lies below a folder with mode
    700. The other way, opening those folders to everybody, would change what is not ours.
    """
    bit = 1 << CAP_DAC_OVERRIDE
    header = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION_3, 0)
    sets = (ctypes.c_uint32 * 6)(bit, bit, bit, 0, 0, 0)
    libc.capset(header, sets)
    prctl(libc, PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_DAC_OVERRIDE)


def prctl(libc: ctypes.CDLL, option: int, *arguments: int) -> None:
    words = [*arguments, 0, 0, 0, 0][:4]
    libc.prctl(option, *(ctypes.c_ulong(word) for word in words))


if __name__ == "__main__":
    number, patience, account_name, *words = sys.argv[1:]
    sys.exit(guard(signal.Signals(int(number)), float(patience), account_name, words))
