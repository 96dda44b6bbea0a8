"""Every figure as analytics answers it over HTTP, under the same names as `counting` gives them."""

from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any

from tests.system.counting import COHORTS, DIMENSIONS, PERIODS, Figures
from tests.system.running import NAMES, System, eventually
from tests.system.story import PIPELINE
from tests.system.telling import CURRENCIES

_COHORT = ("entered", "mature", "won", "lost")
_FLOW = ("registered", "replied", "met", "late", "resolved", "reopened", "confirmed", "closed")
_OPEN = ("open", "unanswered", "late", "unclosed")

Entries = Iterator[tuple[tuple[object, ...], object]]


def seen(system: System) -> Figures:
    """What is nought is left out, as a count leaves it out."""
    parts = (_cohort, _snapshot, _closed, _retention, _sales, _service)
    return {key: value for part in parts for key, value in part(system) if value or key[-1] == "win rate"}


def settle(system: System) -> None:
    """Until nothing is due or under way: each source's timers have fired, and analytics has all it told."""
    eventually(lambda: not _late(system), "no timer is late")
    eventually(lambda: not behind(system), f"analytics has heard everything: {behind(system)}")


def behind(system: System) -> Sequence[str]:
    told = {
        name: system.rows(name, "SELECT coalesce(max(position), 0) FROM events")[0][0] for name in NAMES[:3]
    }
    known = {each["source"]: each for each in system.get("analytics", "/v1/freshness")["sources"]}
    return [
        f"{name} {known[name]} of {at}" for name, at in told.items() if (known[name]["position"] or 0) < at
    ]


def _late(system: System) -> bool:
    late = system.rows("service-desk", "SELECT count(*) FROM timers WHERE due_at < clock_timestamp()")
    return bool(late[0][0])


def _cohort(system: System) -> Entries:
    for mode, period, by in COHORTS:
        for row in _funnel(system, "cohort", period, breakdown=by, mode=mode)["rows"]:
            key = ("cohort", mode, period, by, row["value"])
            yield from (((*key, name), row[name]) for name in _COHORT)
            yield from (((*key, f"n{n}"), step["n"]) for n, step in enumerate(row["steps"], 1))


def _snapshot(system: System) -> Entries:
    for by in DIMENSIONS:
        for row in _funnel(system, "snapshot", breakdown=by)["rows"]:
            for stage in row["stages"]:
                key = ("snapshot", by, row["value"], stage["stage_id"])
                yield (*key, "open", ""), stage["n"]
                yield from (((*key, "minor", m["currency"]), _minor(m)) for m in stage["value"])


def _closed(system: System) -> Entries:
    for period in PERIODS:
        for by in (*DIMENSIONS, "reason"):
            for row in _funnel(system, "closed", period, breakdown=by)["rows"]:
                key = ("closed", period, by, row["value"])
                yield (*key, "win rate"), row["win_rate"]
                for name in ("won", "lost"):
                    yield (*key, name, ""), row[name]
                    for money in row[f"{name}_value"]:
                        yield (*key, f"{name}_minor", money["currency"]), _minor(money)


def _retention(system: System) -> Entries:
    for cohort in system.get("analytics", "/v1/retention", **_in(("2024-12", "2026-11")))["cohorts"]:
        for month in cohort["months"]:
            for kind in ("on", "unbounded"):
                yield ("retention", kind, cohort["month"], month["offset"]), month[kind]
            for money in month["revenue"]:
                key = ("retention", "revenue", cohort["month"], month["offset"], money["currency"])
                yield key, _minor(money)


def _sales(system: System) -> Entries:
    for period in PERIODS:
        for row in system.get("analytics", "/v1/sales", **_in(period))["rows"]:
            key = ("sales", period, row["sales"]["currency"])
            yield (*key, "orders"), row["orders"]
            yield (*key, "minor"), _minor(row["sales"])


def _service(system: System) -> Entries:
    for by in ("all", "owner", "channel"):
        for period in PERIODS:
            answer = system.get("analytics", "/v1/service", breakdown=by, **_in(period))
            for row in answer["flow"]:
                key = ("flow", period, by, row["value"])
                yield from (((*key, name), row[name]) for name in _FLOW)
                yield from (((*key, f"class {n}"), count) for n, count in enumerate(row["replies"]))
        for row in answer["open"]:
            yield from ((("open", by, row["value"], name), row[name]) for name in _OPEN)


def _funnel(system: System, view: str, period: tuple[str, str] = PERIODS[0], **asked: Any) -> Any:
    asked |= _in(period)
    return system.get("analytics", "/v1/funnel", view=view, pipeline_id=str(PIPELINE), **asked)


def _in(period: tuple[str, str]) -> dict[str, Any]:
    return {"from": period[0], "to": period[1]}


def _minor(money: dict[str, str]) -> int:
    return int(Decimal(money["amount"]).scaleb(CURRENCIES[money["currency"]]))
