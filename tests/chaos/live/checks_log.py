"""The log tables against the ledger: each acknowledged command once, no refused one, versions without gaps."""

from crm.people import USERS

from tests.chaos.live.fleet import Fleet
from tests.chaos.live.ledger import Findings, Ledger

# The most acknowledgements that one look in the middle of a run takes up.
MOST_RECENT = 3000
PRINCIPAL = str(USERS["admin"].subject)

STORED = "an acknowledged command is stored exactly once"
NO_EFFECT = "a refused command has no effect"
NOBODYS = "nothing is stored that nobody asked for"
VERSIONS = "the versions of a stream are 1 to n"
ONCE_LATE = "a lateness is told once"
RESTORED = "a restore takes back what was acknowledged after the backup, and nothing else"
FORWARD = "the relay's row and the epochs of leases never go back"

_CLAIMS_OF = "SELECT key, stream_id::text, version FROM idempotency WHERE principal = %s AND key = ANY(%s)"
_CLAIMS = "SELECT key, stream_id::text, version, command_id::text FROM idempotency WHERE principal = %s"
_FACTS = """
SELECT meta->>'command_id', count(*), max(version), count(DISTINCT stream_id), min(stream_id::text), min(meta->>'actor')
FROM events WHERE type <> 'FirstReplyOverdue' GROUP BY 1
"""
_GAPS = """
SELECT stream_id::text, min(version), max(version), count(*) FROM events GROUP BY stream_id
HAVING min(version) <> 1 OR count(*) <> max(version)
"""
_HEADS = """
SELECT s.stream_id::text, s.version, e.version FROM streams AS s
FULL JOIN (SELECT stream_id, max(version) AS version FROM events GROUP BY stream_id) AS e USING (stream_id)
WHERE s.version IS DISTINCT FROM e.version
"""
_TWICE_LATE = """
SELECT stream_id::text FROM events WHERE type = 'FirstReplyOverdue' GROUP BY stream_id HAVING count(*) > 1
"""

# An outsider's eye on two tables, in the database itself: who looks now and then misses what goes back and forth.
_WATCH = """
CREATE SCHEMA IF NOT EXISTS chaos;
CREATE TABLE IF NOT EXISTS chaos.went_back
    (what text, was bigint, became bigint, at timestamptz DEFAULT clock_timestamp());
CREATE OR REPLACE FUNCTION chaos.watch_relay() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    IF NEW.position < OLD.position THEN
        INSERT INTO chaos.went_back VALUES ('relay of ' || NEW.topic, OLD.position, NEW.position);
    END IF; RETURN NEW; END $$;
CREATE OR REPLACE FUNCTION chaos.watch_lease() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    IF NEW.epoch < OLD.epoch THEN
        INSERT INTO chaos.went_back VALUES ('lease ' || NEW.name, OLD.epoch, NEW.epoch);
    END IF; RETURN NEW; END $$;
CREATE OR REPLACE TRIGGER watch BEFORE UPDATE ON relay FOR EACH ROW EXECUTE FUNCTION chaos.watch_relay();
CREATE OR REPLACE TRIGGER watch BEFORE UPDATE ON leases FOR EACH ROW EXECUTE FUNCTION chaos.watch_lease();
"""
_WENT_BACK = "SELECT what, was, became, at::text FROM chaos.went_back"


class LogChecks:
    def __init__(self, fleet: Fleet, ledger: Ledger, findings: Findings) -> None:
        self._fleet = fleet
        self._ledger = ledger
        self._findings = findings

    def watch(self, service: str) -> None:
        for statement in _WATCH.split(";\nCREATE"):
            self._fleet.rows(service, statement if "CREATE" in statement[:7] else f"CREATE{statement}")

    def recent(self, service: str, since: float) -> None:
        """What was answered since then, in the middle of a run."""
        told = []
        for key, said in self._ledger.newest_first(service, since):
            told.append((key, said))
            if len(told) >= MOST_RECENT:
                break
        refused = [
            key for key, whose in list(self._ledger.refused.copy().items())[-MOST_RECENT:] if whose == service
        ]
        keys = [key for key, _ in told]
        rows = self._fleet.rows(service, _CLAIMS_OF, PRINCIPAL, [*keys, *refused])
        claims = {row[0]: row[1:] for row in rows}
        for key, said in told:
            # A restore in the meantime takes the key out of the ledger.
            if claims.get(key) != (said.id, said.version) and key in self._ledger.acknowledged:
                self._findings.add(STORED, f"{key} in {service}: {said} but {claims.get(key)} is stored")
        for key in refused:
            if key in claims:
                self._findings.add(NO_EFFECT, f"{key} in {service}: stored at {claims[key]}")
        self.went_back(service)

    def went_back(self, service: str) -> None:
        for what, was, became, at in self._fleet.rows(service, _WENT_BACK):
            self._findings.add(FORWARD, f"{what}: {became} after {was} at {at}")

    def whole(self, service: str) -> None:
        """Everything, when nothing is under way any more."""
        claims = {key: row for key, *row in self._fleet.rows(service, _CLAIMS, PRINCIPAL)}
        facts = {row[0]: row[1:] for row in self._fleet.rows(service, _FACTS)}
        self._acknowledged(service, claims, facts)
        self._others(service, claims, facts)
        for stream, *said in self._fleet.rows(service, _GAPS):
            self._findings.add(VERSIONS, f"{service} {stream}: from {said[0]} to {said[1]}, {said[2]} facts")
        for stream, known, held in self._fleet.rows(service, _HEADS):
            self._findings.add(VERSIONS, f"{service} {stream}: `streams` says {known}, the log {held}")
        for (stream,) in self._fleet.rows(service, _TWICE_LATE):
            self._findings.add(ONCE_LATE, f"{service} {stream}")
        self.went_back(service)

    def _acknowledged(
        self, service: str, claims: dict[str, list[object]], facts: dict[str, tuple[object, ...]]
    ) -> None:
        for key, said in self._ledger.of(service).items():
            claim = claims.get(key)
            if claim is None or claim[:2] != [said.id, said.version]:
                self._findings.add(STORED, f"{key} in {service}: {said} but {claim} is stored")
                continue
            held = facts.get(str(claim[2]), (0, said.version, 1, said.id))
            if held[:4] != (said.facts, said.version, 1 if said.facts else held[2], said.id):
                self._findings.add(STORED, f"{key} in {service}: {said.facts} facts of {said}, but {held}")

    def _others(
        self, service: str, claims: dict[str, list[object]], facts: dict[str, tuple[object, ...]]
    ) -> None:
        ledger = self._ledger
        for key in claims.keys() - ledger.acknowledged.keys() - ledger.uncertain.keys():
            if key in ledger.taken_back:
                self._findings.add(RESTORED, f"{key} in {service} is still there")
            elif key in ledger.refused:
                self._findings.add(NO_EFFECT, f"{key} in {service}: stored at {claims[key]}")
            else:
                self._findings.add(NOBODYS, f"{key} in {service}: {claims[key]}")
        claimed = {str(claim[2]) for claim in claims.values()}
        for command, held in facts.items():
            if held[4] == PRINCIPAL and command not in claimed:
                self._findings.add(NOBODYS, f"facts of {command} in {service}, which no claim names: {held}")
