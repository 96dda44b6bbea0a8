"""What the logs must hold whatever happened: each command once, each stream without a gap, each lateness once."""

from collections.abc import Iterable

from tests.system.running import NAMES, System
from tests.system.telling import Told

_FACTS = """
SELECT claim.key, count(fact.position) FROM idempotency AS claim
LEFT JOIN events AS fact ON fact.meta->>'command_id' = claim.command_id::text AND fact.type <> 'FirstReplyOverdue'
WHERE claim.principal <> 'timer' GROUP BY claim.key
"""
_UNCLAIMED = """
SELECT type, count(*) FROM events AS fact WHERE type <> 'FirstReplyOverdue'
AND NOT EXISTS (SELECT FROM idempotency WHERE command_id::text = fact.meta->>'command_id') GROUP BY type
"""
_GAPS = """
SELECT stream_id FROM events GROUP BY stream_id HAVING min(version) <> 1 OR count(*) <> max(version)
"""
_TWICE_LATE = """
SELECT stream_id FROM events WHERE type = 'FirstReplyOverdue' GROUP BY stream_id HAVING count(*) > 1
"""


def keeps_each_command_once(system: System, told: Iterable[Told]) -> None:
    """As many facts of each command as must come of it: none lost, none doubled, none of nobody's command."""
    facts: dict[str, dict[str, int]] = {name: {} for name in NAMES[:3]}
    for each in told:
        facts[each.service][each.item.key] = len(each.facts)
    for name, expected in facts.items():
        assert dict(system.rows(name, _FACTS)) == expected
        assert system.rows(name, _UNCLAIMED) == []
        assert system.rows(name, _GAPS) == []
        assert system.rows(name, _TWICE_LATE) == []


def commands_kept(system: System) -> int:
    return sum(
        system.rows(name, "SELECT count(*) FROM idempotency WHERE principal <> 'timer'")[0][0]
        for name in NAMES[:3]
    )
