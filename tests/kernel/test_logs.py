"""What operators read: one JSON object per line, from our code and from the libraries'."""

import json
import subprocess
import sys
from typing import cast

SCENE = """
import logging, uuid, structlog
from kernel.runtime.logs import configure_logs
logging.getLogger("uvicorn.error").addHandler(logging.StreamHandler())
configure_logs("contacts")
structlog.contextvars.bind_contextvars(trace_id="abc")
log = structlog.get_logger("relay")
log.debug("too fine")
log.info("relayed", records=3, company="关系", id=uuid.UUID(int=7))
logging.getLogger("uvicorn.error").info("Started %s", "now", extra={"port": 8001})
logging.getLogger("aiokafka").info("chatter")
logging.getLogger("aiokafka.conn").debug("a password")
try:
    1 / 0
except ZeroDivisionError:
    logging.getLogger("alembic").exception("broke")
"""


def lines_of(scene: str) -> list[dict[str, object]]:
    done = subprocess.run([sys.executable, "-c", scene], capture_output=True, text=True, check=True)
    assert done.stderr == ""
    return [cast("dict[str, object]", json.loads(line)) for line in done.stdout.splitlines()]


def test_our_lines_and_those_of_libraries_look_alike() -> None:
    ours, theirs, failure = lines_of(SCENE)
    assert list(ours)[:5] == list(theirs)[:5] == ["time", "level", "service", "logger", "message"]
    assert ours["service"] == theirs["service"] == "contacts"
    assert ours["trace_id"] == theirs["trace_id"] == "abc"
    assert (ours["message"], ours["records"], ours["company"]) == ("relayed", 3, "关系")
    assert ours["id"] == "00000000-0000-0000-0000-000000000007"
    assert (theirs["message"], theirs["port"], theirs["logger"]) == ("Started now", 8001, "uvicorn.error")
    assert failure["level"] == "error"
    assert "ZeroDivisionError" in str(failure["exception"])


def test_times_are_utc() -> None:
    assert all(str(line["time"]).endswith("Z") for line in lines_of(SCENE))


def test_level_debug_lets_the_talkative_speak() -> None:
    messages = [line["message"] for line in lines_of(SCENE.replace('"contacts")', '"contacts", "debug")'))]
    assert {"too fine", "chatter"} <= set(messages)
    assert "a password" not in messages
