"""The same figures as the product answers them over HTTP, once analytics has heard everything."""

import time
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import httpx
from crm.failures import Failure
from crm.sending import refusal

from demo.counting import COHORT, MONTHS, Figures, percent

PATIENCE = 300.0
FIRST_DAY = "2016-01-01"
FIRST_MONTH, LAST_MONTH = "1997-01", "1998-08"


def ask(urls: Mapping[str, str], token: str, pipeline: str, loaded_at: datetime) -> Figures:
    headers = {"Authorization": f"Bearer {token}"}
    with httpx.Client(headers=headers, timeout=60, trust_env=False) as client:
        analytics = urls["analytics"]
        await_all(client, analytics, loaded_at)
        deals = {"pipeline_id": pipeline, "from": FIRST_DAY}
        return {
            "companies": str(companies(client, urls["contacts"])),
            **entered(get(client, f"{analytics}/v1/funnel", deals | {"view": "cohort"})),
            **closed(get(client, f"{analytics}/v1/funnel", deals | {"view": "closed"})),
            **open_deals(
                get(client, f"{analytics}/v1/funnel", {"pipeline_id": pipeline, "view": "snapshot"})
            ),
            **retained(get(client, f"{analytics}/v1/retention", {"from": FIRST_MONTH, "to": LAST_MONTH})),
        }


def await_all(client: httpx.Client, analytics: str, loaded_at: datetime) -> None:
    """Until analytics is complete past the moment at which the last command was answered."""
    deadline = time.monotonic() + PATIENCE
    while True:
        sources = get(client, f"{analytics}/v1/freshness", {})["sources"]
        complete = [source["complete_at"] for source in sources]
        if complete and all(at and datetime.fromisoformat(at) > loaded_at for at in complete):
            return
        if time.monotonic() > deadline:
            raise Failure("Analytics has not heard everything in time; its log may say why.")
        time.sleep(0.3)


def get(client: httpx.Client, url: str, asked: Mapping[str, str]) -> Any:
    answer = client.get(url, params=asked)
    if not answer.is_success:
        raise Failure(f"{url} was not answered: {refusal(answer)}")
    return answer.json()


def companies(client: httpx.Client, url: str) -> int:
    found, asked = 0, {"limit": "200"}
    while True:
        page = get(client, f"{url}/v1/companies", asked)
        found += len(page["items"])
        if not page["next_cursor"]:
            return found
        asked["cursor"] = page["next_cursor"]


def entered(answer: Any) -> Figures:
    return {"opportunities": str(sum(row["entered"] for row in answer["rows"]))}


def closed(answer: Any) -> Figures:
    row = answer["rows"][0]
    value = row["won_value"][0]
    return {
        "won": str(row["won"]),
        "lost": str(row["lost"]),
        "won value": f"{value['amount']} {value['currency']}",
        "win rate": percent(row["win_rate"]),
    }


def open_deals(answer: Any) -> Figures:
    return {stage["stage_id"]: str(stage["n"]) for row in answer["rows"] for stage in row["stages"]}


def retained(answer: Any) -> Figures:
    cohorts = {cohort["month"]: cohort for cohort in answer["cohorts"] if cohort["size"]}
    figures = {"customers": str(sum(cohort["size"] for cohort in cohorts.values()))}
    figures |= {f"cohort {month}": str(cohort["size"]) for month, cohort in cohorts.items()}
    months = {month["offset"]: month["on"] for month in cohorts[COHORT]["months"]}
    return figures | {f"cohort {COHORT}, month {n}": str(months[n]) for n in range(1, MONTHS + 1)}
