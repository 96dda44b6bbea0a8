"""Erased means gone: each person has a word of their own, which is nowhere once their erasure is in the log."""

import re

from kernel.messaging.service import topic_of

from tests.chaos.live.fleet import WRITING, Fleet
from tests.chaos.live.ledger import Findings
from tests.chaos.live.wishes_contacts import CANARY, canary
from tests.system.running import NAMES

GONE = "what was said of an erased person is nowhere"
NEVER_THERE = "nothing personal leaves a service"

_ERASED = "SELECT stream_id FROM events WHERE type = 'PersonErased'"
_FORGOTTEN = "SELECT count(*) FROM events WHERE type = 'PersonForgotten'"
_KEYS = """
SELECT person_id::text FROM person_keys
WHERE person_id = ANY(%s) AND (wrapped_key IS NOT NULL OR shredded_at IS NULL)
"""
_WORD = re.compile(rf"{CANARY}[0-9a-f]{{16}}")
_PAGE = 5000


class ErasureChecks:
    def __init__(self, fleet: Fleet, findings: Findings) -> None:
        self._fleet = fleet
        self._findings = findings
        self.persons = 0
        self.words_seen = 0

    def whole(self) -> None:
        erased = [row[0] for row in self._fleet.rows("contacts", _ERASED)]
        self.persons = len(erased)
        words = {canary(person) for person in erased}
        for name in NAMES:
            self._search_database(name, words)
        for name in WRITING:
            for (person,) in self._fleet.rows(name, _KEYS, erased):
                self._findings.add(GONE, f"{name} still has a key of {person}")
        self._search_texts()
        self._search_topics()

    def _search_database(self, name: str, words: set[str]) -> None:
        """A dump has every column of every row, as text or as hexadecimal."""
        text = self._fleet.system.dump(name)
        found = set(_WORD.findall(text))
        self.words_seen += len(found)
        if left := found & words:
            self._findings.add(GONE, f"the database of {name} has {len(left)} words, one of them {min(left)}")
        if CANARY.encode().hex() in text:
            self._findings.add(GONE, f"the database of {name} has words in bytes")

    def _search_texts(self) -> None:
        files = {path.name: path for path in self._fleet.system.local.logs.iterdir()}
        files["log of PostgreSQL"] = self._fleet.postgres.log
        for where, path in files.items():
            self._must_not_be(where, path.read_text(errors="replace"))
        for name in WRITING:
            self._search_feed(name)
        answer = self._fleet.system.dump("analytics")
        self._must_not_be("analytics", answer)

    def _search_topics(self) -> None:
        """The bytes as the broker keeps them, where they are not compressed; the tape has read the others."""
        for name in WRITING:
            for segment in self._fleet.kafka.directory.glob(f"data/{topic_of(name)}-*/*.log"):
                if CANARY.encode() in segment.read_bytes():
                    self._findings.add(NEVER_THERE, str(segment))

    def _search_feed(self, name: str) -> None:
        after = 0
        while page := self._fleet.system.get(name, "/v1/feed", after=after, limit=_PAGE):
            self._must_not_be(f"feed of {name}", str(page))
            after = int(page[-1]["position"])

    def _must_not_be(self, where: str, text: str) -> None:
        if CANARY in text or CANARY.encode().hex() in text:
            self._findings.add(NEVER_THERE, where)
