"""What the logs must hold after a run: each acknowledged command's facts once, nothing of nobody's, no gap."""

from collections.abc import Iterator

from tests.load.pace import Load
from tests.load.sampling import WRITING, Verdict
from tests.system.running import System

_FACTS = """
SELECT claim.key, count(fact.position) FROM idempotency AS claim
LEFT JOIN events AS fact ON fact.meta->>'command_id' = claim.command_id::text
WHERE claim.key LIKE 'load-%%' GROUP BY claim.key
"""
_CLAIMS_TWICE = """
SELECT key FROM idempotency WHERE key LIKE 'load-%%' GROUP BY key HAVING count(*) > 1
"""
# What a timer adds by itself is no client's.
_NOBODYS = """
SELECT count(*) FROM events AS fact WHERE type <> 'FirstReplyOverdue'
AND NOT EXISTS (SELECT FROM idempotency WHERE command_id::text = fact.meta->>'command_id')
"""
_GAPS = """
SELECT count(*) FROM
    (SELECT FROM events GROUP BY stream_id HAVING min(version) <> 1 OR count(*) <> max(version)) AS found
"""


def counted(system: System, load: Load) -> Iterator[Verdict]:
    for name in WRITING:
        held = dict(system.rows(name, _FACTS))
        expected = {key: facts for key, (service, facts) in load.acknowledged.items() if service == name}
        missing = sum(key not in held for key in expected)
        other = sum(held[key] != facts for key, facts in expected.items() if key in held)
        other += len(system.rows(name, _CLAIMS_TWICE))
        told = f"{len(expected)} acknowledged, {missing} of them not stored"
        yield Verdict(f"every acknowledged command is stored: {name}", not missing, told)
        yield Verdict(f"nothing is stored twice: {name}", not other, f"{other} with other facts than theirs")
        strange = sum(key not in expected and key not in load.untold for key in held)
        ((nobodys,),) = system.rows(name, _NOBODYS)
        ((gaps,),) = system.rows(name, _GAPS)
        found = f"{strange} keys and {nobodys} facts of nobody's, {gaps} streams with gaps"
        yield Verdict(f"nothing else is stored: {name}", not (strange or nobodys or gaps), found)
