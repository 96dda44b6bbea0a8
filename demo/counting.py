"""The figures of the real data, counted from the files in plain Python: what the product's answers are held to."""

import csv
from collections import Counter, defaultdict
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path

from crm.failures import Failure

FILES = ("accounts.csv", "sales_pipeline.csv", "sales_teams.csv", "CDNOW_master.txt")
# The cohort that is followed month by month, and how far.
COHORT, MONTHS = "1997-01", 5

Figures = dict[str, str]


def find_files(folder: Path) -> Mapping[str, Path]:
    found = {name: next(iter(sorted(folder.rglob(name))), None) for name in FILES}
    missing = [name for name, path in found.items() if path is None]
    if missing:
        raise Failure(f"{folder} has no {', '.join(missing)}: name the folder of the data with DATA=path.")
    return {name: path for name, path in found.items() if path}


def count(files: Mapping[str, Path]) -> Figures:
    return {
        "companies": str(len(rows_of(files["accounts.csv"]))),
        **count_deals(files["sales_pipeline.csv"]),
        **count_customers(files["CDNOW_master.txt"]),
    }


def count_deals(path: Path) -> Figures:
    deals = rows_of(path)
    stages = Counter(deal["deal_stage"] for deal in deals)
    won, lost = stages["Won"], stages["Lost"]
    value = sum(Decimal(deal["close_value"]) for deal in deals if deal["deal_stage"] == "Won")
    return {
        "opportunities": str(len(deals)),
        "won": str(won),
        "lost": str(lost),
        "engaging": str(stages["Engaging"]),
        "prospecting": str(stages["Prospecting"]),
        "won value": f"{value:.2f} USD",
        "win rate": percent(won / (won + lost)),
    }


def count_customers(path: Path) -> Figures:
    """A customer belongs to the month of the first order; later months count those who ordered in them."""
    months: dict[str, set[int]] = defaultdict(set)
    for line in path.read_text().splitlines():
        customer, day, *_ = [*line.split(), "", ""]
        if day.isdecimal():
            months[customer].add(int(day[:4]) * 12 + int(day[4:6]) - 1)
    cohorts = Counter(min(active) for active in months.values())
    figures = {"customers": str(len(months))}
    figures |= {f"cohort {name_of(month)}": str(size) for month, size in sorted(cohorts.items())}
    first = next((month for month in cohorts if name_of(month) == COHORT), 0)
    for offset in range(1, MONTHS + 1):
        active = sum(min(m) == first and first + offset in m for m in months.values())
        figures[f"cohort {COHORT}, month {offset}"] = str(active)
    return figures


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def name_of(month: int) -> str:
    return f"{month // 12}-{month % 12 + 1:02}"


def percent(share: float) -> str:
    return f"{share * 100:.2f} %"
