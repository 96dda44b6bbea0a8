"""Load by wrk: one thread, so that the measured processes keep their cores, and a fresh key for every request.

KEY in a body stands for that key: for a value that no two records may share.
"""

import json
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
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
_ONE = """
local count, prefix, headers, body = 0, %(prefix)s, %(headers)s, %(body)s
request = function()
  count = count + 1
  headers["Idempotency-Key"] = prefix .. count
  return wrk.format("POST", nil, headers, (string.gsub(body, "KEY", prefix .. count)))
end
"""
# A response whose items did not all succeed stops the run: its figure would be of something else.
_BATCH = """
local count, prefix, headers, item, size = 0, %(prefix)s, %(headers)s, %(item)s, %(size)d
request = function()
  local items = {}
  for i = 1, size do
    count = count + 1
    items[i] = '{"idempotency_key":"' .. prefix .. count .. '",' .. string.gsub(item, "KEY", prefix .. count)
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
    """`p50` and `p99` in milliseconds, as seen by a client that never waits."""

    per_second: float
    p50: float
    p99: float
    requests: int


def commands(url: str, body: Mapping[str, Any], headers: Mapping[str, str], seconds: float) -> Rate:
    script = _ONE % {**_texts(headers), "body": _lua(json.dumps(body))}
    return _run(url, script, seconds, CONNECTIONS)


def batches(
    url: str,
    command: str,
    body: Mapping[str, Any],
    headers: Mapping[str, str],
    seconds: float,
    size: int = 1000,
) -> Rate:
    """The rate is of commands. Two requests at a time are what a service lets wait."""
    item = json.dumps({"command": command, "data": body})[1:]
    script = _BATCH % {**_texts(headers), "item": _lua(item), "size": size}
    rate = _run(f"{url}/v1/batch", script, seconds, connections=2)
    return Rate(rate.per_second * size, rate.p50, rate.p99, rate.requests * size)


def _texts(headers: Mapping[str, str]) -> dict[str, Any]:
    said = {"Content-Type": "application/json", **headers}
    pairs = ", ".join(f"[ {_lua(name)} ] = {_lua(value)}" for name, value in said.items())
    return {"headers": "{" + pairs + "}", "prefix": _lua(f"bench-{secrets.token_hex(6)}-")}


def _lua(text: str) -> str:
    """A Lua string; JSON's escapes are Lua's, but for those of other characters than ASCII."""
    return "[==[" + text + "]==]"


def _run(url: str, script: str, seconds: float, connections: int) -> Rate:
    program = shutil.which("wrk")
    if program is None:
        raise NotPossible("wrk is not installed: apt-get install -y wrk")
    with tempfile.TemporaryDirectory(prefix="guanxi-wrk-") as folder:
        file = Path(folder) / "load.lua"
        file.write_text(script + _DONE)
        done = subprocess.run(
            [
                program,
                "-t1",
                f"-c{connections}",
                f"-d{max(1, round(seconds))}s",
                "--timeout=30s",
                "-s",
                file,
                url,
            ],
            capture_output=True,
            text=True,
            check=False,
        )
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    if done.returncode or not lines:
        raise NotPossible(f"wrk failed: {done.stdout[-500:]} {done.stderr[-500:]}")
    told = json.loads(lines[-1])
    if told["bad"] or told["lost"]:
        raise NotPossible(f"{told['bad']} requests to {url} were refused and {told['lost']} lost")
    rate = told["requests"] / told["microseconds"] * 1e6
    return Rate(rate, told["p50"] / 1000, told["p99"] / 1000, told["requests"])
