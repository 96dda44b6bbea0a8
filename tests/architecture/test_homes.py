"""Some calls have one home. What imports cannot show, the calls themselves do."""

import ast

import pytest

from tests.architecture.repository import name_of, product_files

# The end of a call's name, and the places (folders or files) where it may stand.
HOMES = {
    "datetime.now": ["shared/kernel/domain/clock.py"],
    "datetime.utcnow": [],
    "datetime.today": [],
    "date.today": [],
    "time.time": ["shared/kernel/web/auth.py"],
    ".commit": ["shared/kernel/storage/"],
    ".rollback": ["shared/kernel/storage/"],
    "uuid4": ["shared/kernel/domain/ids.py", "shared/kernel/testing/"],
    "os.getenv": ["shared/kernel/runtime/", "shared/kernel/testing/", "shared/crm/"],
    "environ.get": ["shared/kernel/runtime/", "shared/kernel/testing/", "shared/crm/", "tools/"],
    "print": ["shared/crm/", "shared/kernel/runtime/guarded.py", "demo/", "tools/"],
    "basicConfig": ["shared/kernel/runtime/logs.py"],
    "getLogger": ["shared/kernel/runtime/"],
}


def called(node: ast.expr) -> str:
    match node:
        case ast.Name(id=name):
            return name
        case ast.Attribute(value=value, attr=name):
            return f"{called(value)}.{name}"
        case _:
            return ""


def misplaced(name: str, source: str) -> list[str]:
    calls = (node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call))
    return [
        f"{name}:{call.lineno} calls {pattern.lstrip('.')}"
        for call in calls
        for pattern, homes in HOMES.items()
        if is_call_of(called(call.func), pattern) and not name.startswith(tuple(homes))
    ]


def is_call_of(call: str, pattern: str) -> bool:
    return call.endswith(pattern) if pattern.startswith(".") else f".{call}".endswith(f".{pattern}")


def test_every_call_with_one_home_is_at_home() -> None:
    assert [place for path in product_files() for place in misplaced(name_of(path), path.read_text())] == []


@pytest.mark.parametrize(
    "source",
    [
        "from datetime import datetime\ndatetime.now(UTC)",
        "import datetime\ndatetime.datetime.now()",
        "import time\ntime.time()",
        "async def work(session): await session.commit()",
        "self._connection.rollback()",
        "uuid.uuid4()",
        "print('here')",
    ],
)
def test_a_call_away_from_home_is_noticed(source: str) -> None:
    assert len(misplaced("services/contacts/contacts/contact/api.py", source)) == 1


def test_the_home_itself_may_call() -> None:
    assert misplaced("shared/kernel/domain/clock.py", "datetime.now(UTC)") == []
    assert misplaced("services/contacts/contacts/app.py", "known()\nclock.now()\nfingerprint()") == []
