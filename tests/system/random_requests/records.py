"""What exists in one service while it is asked at random, as its answers tell it."""

from collections import defaultdict
from dataclasses import dataclass, field
from random import Random
from typing import Any

import httpx

_MOST_CURSORS = 20


@dataclass
class Records:
    """`ids` by collection, as in the path; `etags` by id, and by path for what exists once."""

    ids: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    etags: dict[str, str] = field(default_factory=dict)
    cursors: dict[str, list[tuple[dict[str, Any], str]]] = field(default_factory=lambda: defaultdict(list))
    accepted: dict[str, Any] = field(default_factory=dict)
    feed: dict[str, str] = field(default_factory=dict)
    stages: list[str] = field(default_factory=list)
    tokens: list[str] = field(default_factory=list)
    positions: int = 0
    # Fresh ones in the state that the operation under test needs.
    fit: list[str] = field(default_factory=list)

    def add(self, collection: str, id: str, etag: str) -> None:
        if id not in self.etags:
            self.ids[collection].append(id)
        self.etags[id] = etag

    def learn(
        self, operation: str, path: str, query: dict[str, Any], body: Any, answer: httpx.Response
    ) -> None:
        """Takes over what a successful answer says."""
        if not answer.is_success:
            return
        said = answer.json()
        if answer.request.method != "GET" and operation != "batch":
            self.accepted[operation] = body
        if etag := answer.headers.get("ETag"):
            self.add(path.split("/")[2], str(said.get("id", path)), etag)
        if token := answer.headers.get("Consistency-Token"):
            self.tokens.append(token)
        if cursor := answer.headers.get("Feed-Cursor"):
            self.feed = {"last_event_id": cursor, "incarnation": answer.headers["Feed-Incarnation"]}
        if operation == "batch":
            self.etags |= {item["id"]: item["etag"] for item in said["items"] if item["etag"]}
        elif isinstance(said, dict):
            found = [said[name] for name in ("next_cursor", "prev_cursor") if said.get(name)]
            asked = {name: value for name, value in query.items() if name not in ("cursor", "limit")}
            self.stages += [stage["stage_id"] for stage in said.get("stages", ()) if "stage_id" in stage]
            self.cursors[path] = [*self.cursors[path], *((asked, cursor) for cursor in found)][
                -_MOST_CURSORS:
            ]

    def one_of(self, collection: str, random: Random) -> str | None:
        ids = self.ids[collection]
        return random.choice(ids) if ids else None
