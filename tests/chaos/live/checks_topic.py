"""What the topics held against what the logs hold: all that is public, nothing else, in unbroken chains."""

import threading
from collections import defaultdict
from dataclasses import dataclass, field

from tests.chaos.live.fleet import WRITING, Fleet
from tests.chaos.live.ledger import Findings
from tests.chaos.live.tape import Heard, Tape

SENT = "what the relay's row is beyond was published"
NOTHING_ELSE = "a topic holds nothing else than the log's facts"
CHAINS = "the chains of `previous` are unbroken"
ORDER = "the facts of a record are published in their order"
# What no contract names.
PRIVATE = ("PersonForgotten", "PipelineRetired", "PipelineReinstated")

_ROW = "SELECT coalesce(max(position), 0) FROM relay WHERE topic = %s"
_FACTS = """
SELECT position, event_id::text, stream_id::text, version FROM events
WHERE position > %s AND position <= %s AND type <> ALL(%s)
"""
_INCARNATIONS = "SELECT id::text, from_position FROM incarnations ORDER BY from_position, created_at"


@dataclass(slots=True)
class _Chains:
    """A reader of one topic, by the rule that the records promise."""

    incarnations: dict[str, int] = field(default_factory=dict)
    current: dict[int, str] = field(default_factory=dict)
    last: dict[int, int] = field(default_factory=dict)
    versions: dict[str, int] = field(default_factory=dict)
    read: int = 0
    # By position: the event that counts there.
    counting: dict[int, Heard] = field(default_factory=dict)


class TopicChecks:
    def __init__(self, fleet: Fleet, tape: Tape, findings: Findings) -> None:
        self._fleet = fleet
        self._tape = tape
        self._findings = findings
        self._chains = defaultdict[str, _Chains](_Chains)
        self._checked = dict.fromkeys(WRITING, 0)
        # A look that nobody waits for any more may still be under way.
        self._one_at_a_time = threading.Lock()

    def restored(self, service: str) -> None:
        """Positions above the backup's are given again."""
        self._checked[service] = 0

    def passed_on(self, service: str) -> int:
        topic = self._tape.topics[service].name
        position: int = self._fleet.rows(service, _ROW, topic)[0][0]
        return position

    def counting(self, service: str) -> list[Heard]:
        """What was heard and still counts, in the order of positions: a restore has taken back the rest."""
        counting = self._follow(service, dict(self._fleet.rows(service, _INCARNATIONS))).counting
        return [counting[position] for position in sorted(counting)]

    def check(self, service: str, upto: int) -> None:
        """`upto`: the relay's row, as it was before the tape was read to its end."""
        with self._one_at_a_time:
            self._check(service, upto)

    def _check(self, service: str, upto: int) -> None:
        incarnations = dict(self._fleet.rows(service, _INCARNATIONS))
        chains = self._follow(service, incarnations)
        after = self._checked[service]
        facts = self._fleet.rows(service, _FACTS, after, upto, list(PRIVATE))
        for position, event, stream, version in facts:
            heard = chains.counting.get(position)
            if heard is None:
                self._findings.add(SENT, f"{service} {position}: {event} of {stream}, row at {upto}")
            elif (heard.event, heard.stream, heard.version) != (event, stream, version):
                self._findings.add(NOTHING_ELSE, f"{service} {position}: {heard}, but the log has {event}")
        held = {row[0] for row in facts}
        for position, heard in chains.counting.items():
            if after < position <= upto and position not in held:
                self._findings.add(NOTHING_ELSE, f"{service} {position}: {heard}, which the log has not")
        self._checked[service] = upto

    def _follow(self, service: str, incarnations: dict[str, int]) -> _Chains:
        chains = self._chains[service]
        for name in incarnations.keys() - chains.incarnations.keys():
            # What was heard of older ones above this place never was to be.
            begins = incarnations[name]
            for position in [place for place in chains.counting if place > begins]:
                gone = chains.counting.pop(position)
                chains.versions[gone.stream] = min(chains.versions.get(gone.stream, 0), gone.version - 1)
        chains.incarnations = incarnations
        # The tape goes on while a thread reads it.
        new = self._tape.topics[service].heard[chains.read :]
        for record in new:
            self._take(service, chains, record)
        chains.read += len(new)
        return chains

    def _take(self, service: str, chains: _Chains, record: Heard) -> None:
        order = list(chains.incarnations)
        if record.incarnation not in chains.incarnations:
            self._findings.add(NOTHING_ELSE, f"{service} {record}: of no incarnation")
            return
        later = order[order.index(record.incarnation) + 1 :]
        if any(record.position > chains.incarnations[name] for name in later):
            return
        before = chains.current.get(record.partition)
        if before is None or order.index(before) < order.index(record.incarnation):
            # Its chains begin at its own beginning; that all before it was published is checked by itself.
            chains.last[record.partition] = chains.incarnations[record.incarnation]
            chains.current[record.partition] = record.incarnation
        last = chains.last.get(record.partition, 0)
        if record.position <= last:
            known = chains.counting.get(record.position)
            if known is None or known.event != record.event:
                self._findings.add(NOTHING_ELSE, f"{service}: {record} again, but before it was {known}")
            return
        if record.previous > last:
            self._findings.add(CHAINS, f"{service}: {record} after {last}")
        if chains.versions.get(record.stream, 0) != record.version - 1:
            was = chains.versions.get(record.stream, 0)
            self._findings.add(ORDER, f"{service}: {record} after version {was}")
        chains.last[record.partition] = record.position
        chains.counting[record.position] = record
        chains.versions[record.stream] = record.version
