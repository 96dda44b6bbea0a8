"""Load by wrk: one thread, so that the measured processes keep their cores, and a fresh key for every request.

KEY in a body stands for that key: for a value that no two records may share. CUSTOMER stands for one of a thousand.
"""

import json
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.bench.setting import NotPossible

CONNECTIONS = 48
_DONE = """
done = function(summary, latency, requests)
  local wrong = summary.errors
  io.write(string.format('\\n{"requests": %d, "microseconds": %d, "p50": %d, "p99": %d, "bad": %d, "lost": %d}\\n',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99), wrong.status,
    wrong.connect + wrong.read + wrong.write + wrong.timeout))
end
"""
_FILLED = """
filled = function(body, count)
  local said = string.gsub(body, "KEY", prefix .. count)
  return (string.gsub(said, "CUSTOMER", string.format("01920000-0000-7000-8000-%012x", count % 1000)))
end
"""
_ONE = """
local count, headers, body = 0, %(headers)s, %(body)s
request = function()
  count = count + 1
  headers["Idempotency-Key"] = prefix .. count
  return wrk.format("POST", nil, headers, filled(body, count))
end
"""
_READ = """
local count, headers, paths = 0, %(headers)s, %(paths)s
request = function()
  count = count + 1
  return wrk.format("GET", paths[count %% #paths + 1], headers)
end
"""
# A response whose items did not all succeed stops the run: its figure would be of something else.
_BATCH = """
local count, headers, item, size = 0, %(headers)s, %(item)s, %(size)d
request = function()
  local items = {}
  for i = 1, size do
    count = count + 1
    items[i] = '{"idempotency_key":"' .. prefix .. count .. '",' .. filled(item, count)
  end
  return wrk.format("POST", nil, headers, '{"items":[' .. table.concat(items, ",") .. "]}")
end
response = function(status, _, body)
  if not string.find(body, '"failed":0', 1, true) then
    io.write("an item of a batch failed: " .. (string.match(body, '"problem":(%%b{})') or string.sub(body, 1, 300)))
    os.exit(3)
  end
end
"""


@dataclass(frozen=True, slots=True)
class Rate:
    """Of commands, or of reads; `p50` and `p99` of requests, in milliseconds, to a client that never waits."""

    per_second: float
    p50: float
    p99: float
    requests: int


@dataclass(frozen=True, slots=True)
class Load:
    """What one wrk sends; `size` is how many commands a request carries."""

    url: str
    script: str
    connections: int = CONNECTIONS
    size: int = 1


def customer(number: int) -> str:
    return f"01920000-0000-7000-8000-{number % 1000:012x}"


def commands(url: str, body: Mapping[str, Any], headers: Mapping[str, str], seconds: float) -> Rate:
    return run(one_each(url, body, headers), seconds)


def one_each(
    url: str, body: Mapping[str, Any], headers: Mapping[str, str], connections: int = CONNECTIONS
) -> Load:
    script = _ONE % {"headers": _table(headers), "body": _lua(json.dumps(body))}
    return Load(url, script, connections)


def batches(
    url: str,
    command: str,
    body: Mapping[str, Any],
    headers: Mapping[str, str],
    seconds: float,
    size: int = 1000,
) -> Rate:
    return run(in_batches(url, command, body, headers, size), seconds)


def in_batches(
    url: str,
    command: str,
    body: Mapping[str, Any],
    headers: Mapping[str, str],
    size: int = 1000,
    connections: int = 2,
) -> Load:
    """Two requests at a time are what a service lets wait, those included that an earlier load has left behind."""
    item = json.dumps({"command": command, "data": body})[1:]
    script = _BATCH % {"headers": _table(headers), "item": _lua(item), "size": size}
    return Load(f"{url}/v1/batch", script, connections, size)


def reads(url: str, paths: Sequence[str], headers: Mapping[str, str]) -> Load:
    """One path after another, and again from the first."""
    listed = "{" + ", ".join(map(_lua, paths)) + "}"
    return Load(url, _READ % {"headers": _table(headers), "paths": listed})


def _table(headers: Mapping[str, str]) -> str:
    said = {"Content-Type": "application/json", **headers}
    return "{" + ", ".join(f"[ {_lua(name)} ] = {_lua(value)}" for name, value in said.items()) + "}"


def _lua(text: str) -> str:
    """A Lua string; JSON's escapes are Lua's, but for those of other characters than ASCII."""
    return "[==[" + text + "]==]"


def run(load: Load, seconds: float) -> Rate:
    return together([load], seconds)[0]


def together(loads: Sequence[Load], seconds: float) -> list[Rate]:
    """All at the same time, each by a wrk of its own."""
    with ExitStack() as stack:
        started = [(load, stack.enter_context(_started(load, seconds))) for load in loads]
        return [_rate(load, process) for load, process in started]


@contextmanager
def _started(load: Load, seconds: float) -> Iterator["subprocess.Popen[str]"]:
    program = shutil.which("wrk")
    if program is None:
        raise NotPossible("wrk is not installed: apt-get install -y wrk")
    with tempfile.TemporaryDirectory(prefix="guanxi-wrk-") as folder:
        file = Path(folder) / "load.lua"
        prefix = _lua(f"bench-{secrets.token_hex(6)}-")
        file.write_text(f"local prefix = {prefix}\n{_FILLED}{load.script}{_DONE}")
        lasts = f"-d{max(1, round(seconds))}s"
        command = [program, "-t1", f"-c{load.connections}", lasts, "--timeout=30s", "-s", str(file), load.url]
        pipe = subprocess.PIPE
        with subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True) as process:
            try:
                yield process
            finally:
                process.kill()


def _rate(load: Load, process: "subprocess.Popen[str]") -> Rate:
    said, problem = process.communicate()
    lines = [line for line in said.splitlines() if line.startswith("{")]
    if process.returncode or not lines:
        raise NotPossible(f"wrk failed: {said[-500:]} {problem[-500:]}")
    told = json.loads(lines[-1])
    if told["bad"] or told["lost"]:
        raise NotPossible(f"{told['bad']} requests to {load.url} were refused and {told['lost']} lost")
    count = told["requests"] * load.size
    return Rate(count / told["microseconds"] * 1e6, told["p50"] / 1000, told["p99"] / 1000, count)
