"""The service itself tells that a promised reply did not come, once, whoever is killed when."""

from datetime import datetime, timedelta
from uuid import UUID

from kernel.domain.clock import now
from kernel.domain.ids import new_id

from tests.system.running import System, eventually

DAY = timedelta(hours=24)


def test_a_late_reply_is_told_once(system: System) -> None:
    owner = new_id()
    due = now() + timedelta(seconds=2)
    while_away = promised(system, owner, due)
    system.kill(["service-desk"])
    eventually(lambda: now() > due, "the reply is due while nobody is there to tell")
    system.start(["service-desk"])
    eventually(lambda: told(system, while_away) == 1, "it is told late rather than never")

    just_before = promised(system, owner, now() + timedelta(seconds=1))
    eventually(lambda: told(system, just_before) == 1, "the lateness is told")
    system.kill(["service-desk", "analytics"])
    system.start(["service-desk", "analytics"])

    eventually(lambda: counted(system, owner) == 2, "analytics counts both")
    assert [told(system, complaint) for complaint in (while_away, just_before)] == [1, 1]
    assert counted(system, owner) == 2


def promised(system: System, owner: UUID, due: datetime) -> UUID:
    """A complaint whose reply is due at this moment."""
    complaint = new_id()
    said = {"subject": "Broken", "description": "It broke.", "channel": "phone", "customer_id": str(new_id())}
    body = {"id": str(complaint), "owner_id": str(owner), "occurred_at": (due - DAY).isoformat(), **said}
    system.post("service-desk", "/v1/complaints", body)
    return complaint


def told(system: System, complaint: UUID) -> int:
    query = "SELECT count(*) FROM events WHERE type = 'FirstReplyOverdue' AND stream_id = %s"
    return int(system.rows("service-desk", query, complaint)[0][0])


def counted(system: System, owner: UUID) -> int:
    rows = system.get("analytics", "/v1/service", breakdown="owner")
    flow = sum(row["late"] for row in rows["flow"] if row["value"] == str(owner))
    standing = sum(row["late"] for row in rows["open"] if row["value"] == str(owner))
    assert flow == standing
    return int(flow)
