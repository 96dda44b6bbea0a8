"""A generated request made meaningful: ids that exist, versions that are current, texts that a rule accepts.

Most of the time: what stays as it was generated shows how the service refuses.
"""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import Any

from kernel.testing.fixtures import bearer
from schemathesis import Case

from tests.system.random_requests.records import Records

AnyCase = Case[Any]
Json = dict[str, Any]
Substitute = Callable[[Random, Records], Any]
_MOSTLY, _RARELY, _AWKWARD = 0.9, 0.06, 0.04
AWKWARD = ("\0", "a\0b", "", " ", "\u2028", "٣", "%", "_\\", "x" * 300)
TODAY = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def shape(case: AnyCase, operation: str, random: Random, records: Records) -> None:
    path = case.operation.path
    if "id" in case.path_parameters and random.random() < _MOSTLY:
        fit = records.fit if records.fit and random.random() < 0.8 else records.ids[path.split("/")[2]]
        if fit:
            case.path_parameters["id"] = random.choice(fit)
    _headers(case, case.path_parameters.get("id", path), random, records)
    if isinstance(case.body, dict):
        case.body = _batch(random, records) if operation == "batch" and random.random() < 0.7 else case.body
        case.body = {name: _shaped(name, value, random, records) for name, value in case.body.items()}
        if random.random() < _MOSTLY:
            _agree(case.body, random)
    _query(case, path, random, records)


def _headers(case: AnyCase, record: str, random: Random, records: Records) -> None:
    headers = case.headers
    headers.update(_caller(random))
    if "Idempotency-Key" in headers and random.random() < _MOSTLY:
        headers["Idempotency-Key"] = f"random-{random.getrandbits(64):x}"
    required = any(
        parameter.name == "If-Match" and parameter.is_required for parameter in case.operation.headers
    )
    if "If-Match" in headers and random.random() < _MOSTLY:
        if required:
            headers["If-Match"] = records.etags.get(record, "*")
        else:
            del headers["If-Match"]
    if case.method == "GET" and record in records.etags and random.random() < _RARELY:
        headers["If-None-Match"] = records.etags[record]
    if "Consistency-Token" in headers and random.random() < _MOSTLY:
        headers["Consistency-Token"] = random.choice(records.tokens)


def _caller(random: Random) -> dict[str, str]:
    drawn = random.random()
    if drawn < 0.02:
        return {}
    return bearer("analyst") if drawn < 0.04 else bearer()


def _query(case: AnyCase, path: str, random: Random, records: Records) -> None:
    query = case.query
    cursors = records.cursors[path]
    if cursors and random.random() < 0.2:
        asked, cursor = random.choice(cursors)
        case.query = {**asked, "cursor": cursor}
        return
    if "cursor" in query and random.random() < _MOSTLY:
        del query["cursor"]
    if path == "/v1/funnel" and random.random() < _MOSTLY:
        query["pipeline_id"] = records.one_of("pipelines", random)
    for name in list(query):
        if random.random() < _AWKWARD:
            query[name] = _awkward(query[name], random)
        elif name in PARAMETERS and random.random() < _MOSTLY:
            query[name] = PARAMETERS[name](random, records)
    if "from" in query and "to" in query and random.random() < _MOSTLY:
        query["from"], query["to"] = sorted((str(query["from"]), str(query["to"])))
        if path == "/v1/retention":
            query["from"], query["to"] = query["from"][:7], query["to"][:7]


def _shaped(name: str, value: Any, random: Random, records: Records) -> Any:
    if isinstance(value, list):
        return [_shaped(name, each, random, records) for each in value]
    if isinstance(value, dict) and name != "data":
        return {key: _shaped(key, inner, random, records) for key, inner in value.items()}
    if value is not None and random.random() < _AWKWARD:
        return _awkward(value, random)
    if value is not None and name in FIELDS and random.random() < _MOSTLY:
        return FIELDS[name](random, records)
    return value


def _awkward(value: Any, random: Random) -> Any:
    """What a type allows and a database may not."""
    if isinstance(value, bool):
        return value
    if isinstance(value, int | float):
        return random.choice((2**31, 2**53, 2**63, 2**64, -1, -(2**63) - 1))
    if isinstance(value, str):
        return random.choice(AWKWARD)
    return value


def _agree(body: Json, random: Random) -> None:
    """What a rule compares with something else in the same body."""
    if random.random() < 0.8:
        body.pop("id", None)
    seen: set[str] = set()
    for number, stage in enumerate(body.get("stages", ())):
        stage["stage_id"] = f"stage-{number}"
        if stage.get("milestone") in seen:
            stage["milestone"] = None
        seen.add(stage.get("milestone"))


def _batch(random: Random, records: Records) -> Json:
    """Commands that were accepted before, each with a key of its own."""
    items = []
    for operation, body in random.sample(sorted(records.accepted.items()), k=min(3, len(records.accepted))):
        said = {name: value for name, value in (body or {}).items() if name not in ("occurred_at", "id")}
        collection = operation.split(".")[0]
        record = records.one_of(collection, random)
        items.append(
            {
                "command": operation,
                "id": record
                if not operation.endswith((".register", ".create", ".place", "y.define"))
                else None,
                "idempotency_key": f"batch-{random.getrandbits(64):x}",
                "if_match": records.etags.get(record or ""),
                "data": said,
            }
        )
    return {"items": items or [{"command": "nothing", "idempotency_key": "batch-of-nothing"}]}


def _of(collection: str) -> Substitute:
    return lambda random, records: records.one_of(collection, random)


def _stage(random: Random, records: Records) -> str:
    return random.choice(records.stages[:7] or ["lead"])


def _past(random: Random, _: Records) -> str:
    return (TODAY - timedelta(minutes=random.randrange(60 * 24 * 400))).isoformat()


def _day(random: Random, _: Records) -> str:
    return (date(2023, 1, 1) + timedelta(days=random.randrange(900))).isoformat()


FIELDS: dict[str, Substitute] = {
    "occurred_at": _past,
    "company_id": _of("companies"),
    "parent_company_id": _of("companies"),
    "pipeline_id": _of("pipelines"),
    "opportunity_id": _of("opportunities"),
    "stage_id": _stage,
    "entry": lambda random, _: random.randrange(1, 3),
    "amount": lambda random, _: f"{random.randrange(10**6)}.{random.randrange(10)}0",
    "currency": lambda *_: "CNY",
}
PARAMETERS: dict[str, Substitute] = {
    "pipeline_id": _of("pipelines"),
    "pipeline_version": lambda *_: 1,
    "from": _day,
    "to": _day,
    "zone": lambda random, _: random.choice(("Asia/Shanghai", "Europe/Berlin", "UTC")),
    "as_of_position": lambda random, records: random.randrange(records.positions + 1),
    "last_event_id": lambda _, records: records.feed.get("last_event_id"),
    "incarnation": lambda _, records: records.feed.get("incarnation"),
    "after": lambda random, _: random.randrange(50),
    "timeout": lambda *_: 0.01,
}
