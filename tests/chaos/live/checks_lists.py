"""The lists that services answer with, against their logs: every record once, as its facts left it."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tests.chaos.live.fleet import Fleet
from tests.chaos.live.ledger import Findings

SHOWN = "the lists show every record as its facts left it"

# By service, the category of the records, and where they are listed.
LISTS: Mapping[str, Mapping[str, str]] = {
    "contacts": {"company": "/v1/companies", "contact": "/v1/contacts"},
    "opportunities": {"opportunity": "/v1/opportunities", "order": "/v1/orders"},
    "service-desk": {"complaint": "/v1/complaints"},
}
# What must be asked for to see all of them, where that is not the default.
_ALL: Mapping[str, Sequence[Mapping[str, str]]] = {
    "/v1/contacts": ({"erased": "false"}, {"erased": "true"}),
    "/v1/complaints": ({"status": "any"},),
}
_PAGE = 200
# So many of a list are read one by one too: a record is folded from its facts, a list is not.
_READ = 100
_STORED = """
SELECT stream_id::text, max(events.version) FROM events JOIN streams USING (stream_id)
WHERE category = %s GROUP BY stream_id
"""


class ListChecks:
    def __init__(self, fleet: Fleet, findings: Findings) -> None:
        self._fleet = fleet
        self._findings = findings
        self.records = 0

    def whole(self) -> None:
        """When nothing is written any more."""
        for service, lists in LISTS.items():
            for category, path in lists.items():
                self._check(service, category, path)

    def _check(self, service: str, category: str, path: str) -> None:
        stored = {id: f'"v{version}"' for id, version in self._fleet.rows(service, _STORED, category)}
        items = [item for asked in _ALL.get(path, ({},)) for item in self._items(service, path, asked)]
        shown = {item["id"]: item for item in items}
        self.records += len(items)
        if len(shown) != len(items):
            self._findings.add(SHOWN, f"{path} has {len(items) - len(shown)} records twice")
        if stored.keys() != shown.keys():
            lost, other = stored.keys() - shown.keys(), shown.keys() - stored.keys()
            self._findings.add(SHOWN, f"{path} lacks {len(lost)} records, has {len(other)} of nobody's")
        for id in stored.keys() & shown.keys():
            if shown[id]["etag"] != stored[id]:
                self._findings.add(SHOWN, f"{path}/{id} is {shown[id]['etag']}, not {stored[id]}")
        for id in sorted(stored.keys() & shown.keys())[-_READ:]:
            self._compare(shown[id], self._fleet.system.get(service, f"{path}/{id}"), f"{path}/{id}")

    def _items(self, service: str, path: str, asked: Mapping[str, str]) -> Iterator[dict[str, Any]]:
        query: dict[str, Any] = {"limit": _PAGE, **asked}
        while query.get("cursor", "") is not None:
            page = self._fleet.system.get(service, path, **query)
            yield from page["items"]
            query["cursor"] = page["next_cursor"]

    def _compare(self, item: Mapping[str, Any], record: Mapping[str, Any], where: str) -> None:
        for name in item.keys() & record.keys():
            if item[name] != record[name]:
                self._findings.add(SHOWN, f"{where} has another {name} in the list")
