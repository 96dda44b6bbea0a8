"""Analytics against the logs: it has heard all that was told, nothing else, and counts it as plain counting does."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.chaos.live.checks_topic import PRIVATE
from tests.chaos.live.fleet import WRITING, Fleet
from tests.chaos.live.ledger import Findings
from tests.chaos.live.wishes_sales import PIPELINE

HEARD = "analytics has heard what was told, once, and nothing else"
FIGURES = "analytics' figures are a plain count of the logs"
FRESH = "the stated freshness is true"

Figures = Counter[tuple[object, ...]]

_LOG = "SELECT position, event_id::text FROM events WHERE position > %s AND recorded_at <= %s AND type <> ALL(%s)"
_RECEIVED = """
SELECT r.source_position, r.event_id::text FROM received AS r
WHERE r.source = %s AND r.source_position > %s AND r.position <= %s AND NOT EXISTS (
    SELECT FROM withdrawn AS w WHERE w.source = r.source AND r.incarnation <> ALL (w.counting)
    AND r.source_position > w.from_position AND r.position <= w.position)
"""
_FACTS = "SELECT stream_id::text, type, data FROM events ORDER BY stream_id, version"
_FOREVER = datetime(2999, 1, 1, tzinfo=UTC)
# Longer ago than anything that the clients say has occurred.
_PERIOD = timedelta(days=60)


class FigureChecks:
    def __init__(self, fleet: Fleet, findings: Findings) -> None:
        self._fleet = fleet
        self._findings = findings
        self._fresh_upto = dict.fromkeys(WRITING, 0)

    def restored(self, service: str) -> None:
        self._fresh_upto[service] = 0

    def freshness(self, service: str, answer: dict[str, Any]) -> None:
        """All that was recorded up to the stated time is here, as of the stated position."""
        said = next(each for each in answer["sources"] if each["source"] == service)
        if said["complete_at"] is None:
            return
        after, at = self._fresh_upto[service], datetime.fromisoformat(said["complete_at"])
        told = self._fleet.rows(service, _LOG, after, at, list(PRIVATE))
        heard = dict(self._fleet.rows("analytics", _RECEIVED, service, after, answer["as_of_position"]))
        for position, event in told:
            if heard.get(position) != event:
                how = f"{service} {position} {event}: {heard.get(position)} though complete at {at}"
                self._findings.add(FRESH, how)
        self._fresh_upto[service] = max([after, *(position for position, _ in told)])

    def heard(self, service: str) -> None:
        """When nothing is under way any more."""
        told = dict(self._fleet.rows(service, _LOG, 0, _FOREVER, list(PRIVATE)))
        rows = self._fleet.rows("analytics", _RECEIVED, service, 0, 2**62)
        heard = Counter(rows)
        for (position, event), times in heard.items():
            if times > 1 or told.get(position) != event:
                self._findings.add(
                    HEARD, f"{service} {position}: {event} {times} times, {told.get(position)}"
                )
        for position in told.keys() - {place for place, _ in heard}:
            self._findings.add(HEARD, f"{service} {position}: {told[position]} was not heard")

    def figures(self) -> None:
        counted: Figures = Counter()
        for service in WRITING:
            self._count(service, counted)
        answered = self._answered()
        for key in counted.keys() | answered.keys():
            if counted[key] != answered[key]:
                self._findings.add(FIGURES, f"{key}: {answered[key]} instead of {counted[key]}")

    def _count(self, service: str, counted: Figures) -> None:
        """Each record's facts, in their order, by a fold of our own."""
        stream, state = "", dict[str, Any]()
        for id_, kind, data in [*self._fleet.rows(service, _FACTS), ("", "", {})]:
            if id_ != stream:
                finish(state, counted)
                stream, state = id_, {}
            follow(state, kind, data, counted)

    def _answered(self) -> Figures:
        figures: Figures = Counter()
        now = datetime.now(UTC)
        period: dict[str, Any] = {
            "from": str((now - _PERIOD).date()),
            "to": str((now + timedelta(days=3)).date()),
        }
        asked: dict[str, Any] = {"pipeline_id": str(PIPELINE)}
        get = self._fleet.system.get
        for row in get("analytics", "/v1/funnel", view="snapshot", **asked)["rows"]:
            for stage in row["stages"]:
                figures["open", stage["stage_id"]] += stage["n"]
                for money in stage["value"]:
                    figures["open worth", stage["stage_id"], money["currency"]] += minor(money)
        for row in get("analytics", "/v1/funnel", view="closed", **asked, **period)["rows"]:
            for outcome in ("won", "lost"):
                figures[outcome,] += row[outcome]
                for money in row[f"{outcome}_value"]:
                    figures[f"{outcome} worth", money["currency"]] += minor(money)
        for row in get("analytics", "/v1/funnel", view="cohort", **asked, **period)["rows"]:
            figures["deals",] += row["entered"]
        for row in get("analytics", "/v1/sales", **period)["rows"]:
            figures["orders", row["sales"]["currency"]] += row["orders"]
            figures["sales", row["sales"]["currency"]] += minor(row["sales"])
        desk = get("analytics", "/v1/service", **period)
        for row in desk["flow"]:
            for name in ("registered", "replied", "resolved", "reopened", "confirmed", "closed"):
                figures[f"complaints {name}",] += row[name]
        for row in desk["open"]:
            figures["complaints open",] += row["open"]
        return figures


def minor(money: dict[str, str]) -> int:
    return round(float(money["amount"]) * 100)


_DESK = {
    "ComplaintRegistered": "registered",
    "FirstReplySent": "replied",
    "ComplaintResolved": "resolved",
    "ComplaintReopened": "reopened",
    "ResolutionConfirmed": "confirmed",
    "ComplaintClosed": "closed",
}


def follow(state: dict[str, Any], kind: str, data: dict[str, Any], counted: Figures) -> None:
    if name := _DESK.get(kind):
        counted[f"complaints {name}",] += 1
        state["complaint"] = name if name != "replied" else state["complaint"]
    match kind:
        case "OpportunityCreated":
            counted["deals",] += 1
            state |= {
                "status": "open",
                "currency": data["currency"],
                "amount": data["amount_minor"],
                "entries": {},
            }
        case "StageEntered":
            state["entries"][data["entry"]] = data["stage_id"]
        case "StageEntryVoided":
            del state["entries"][data["entry"]]
        case "AmountChanged":
            state["amount"] = data["amount_minor"]
        case "OpportunityWon":
            state |= {"status": "won", "amount": data["amount_minor"]}
        case "OpportunityLost":
            state["status"] = "lost"
        case "OpportunityReopened":
            state["status"] = "open"
        case "OrderPlaced":
            total = sum(line["quantity"] * line["unit_price_minor"] for line in data["lines"])
            state |= {"order": data["currency"], "total": total}
        case "OrderCancelled":
            state.pop("order", None)


def finish(state: dict[str, Any], counted: Figures) -> None:
    """What a record counts for where it stands."""
    if currency := state.get("order"):
        counted["orders", currency] += 1
        counted["sales", currency] += state["total"]
    if state.get("complaint") in ("registered", "reopened"):
        counted["complaints open",] += 1
    if status := state.get("status"):
        stage = list(state["entries"].values())[-1]
        key = ("open", stage) if status == "open" else (status,)
        worth = (
            ("open worth", stage, state["currency"])
            if status == "open"
            else (f"{status} worth", state["currency"])
        )
        counted[key] += 1
        counted[worth] += state["amount"]
