"""What a deal contributes to the funnel's cells, in three views that are never mixed (O5, N13, N14).

A key is (view, pipeline, dimension, day or stage, value, currency), six texts in every view: the order
of an index that serves "all values of one dimension in a range of days" with one scan. The grain is the day
of the company's zone: weeks, months and fiscal months do not nest, and only days add up to all of them.

- cohort: day of entry -> (entered, mature, won, lost, n1 .. n16). The entry is the deal's creation.
- closed: day of the closing -> (won, won minor units, lost, lost minor units).
- snapshot: stage -> (open deals, their minor units).

Sixteen places are a row of fixed width, as a pipeline has at most sixteen stages; the row's places beyond
the pipeline's own stay unread. Teams and products are made from the states when they are asked for.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from contracts.opportunities import Stage

from analytics.funnel.deal import Deal, Outcome, closing, current_stage
from analytics.semantics import CellKey, Cells, Moment, Numbers, Owner, day_of, owner_at, value_of

MOST_STAGES = 16
ENTERED, MATURE, WON, LOST, FIRST_STEP = range(5)

Mode = Literal["reached", "touched", "strict"]
Attribution = Literal["at_step", "entry", "current"]
Dimension = Literal["all", "owner", "team", "source", "product", "reason"]

_REACH = tuple(
    tuple(int(place < reached) for place in range(MOST_STAGES)) for reached in range(MOST_STAGES + 1)
)


@dataclass(frozen=True, slots=True)
class Terms:
    """How to count. The defaults are what the table of cells holds; any others are counted from the states.

    mode: `reached` step k = the deal's earliest entry into a stage of place k or beyond, or its first win (a
    won deal has reached every stage, and neither moving back nor a reopening undoes a step). `touched` = an
    entry into stage k itself. `strict` = stages 1 to k entered in this order, none left out.
    attribution: whose step it is: the owner when the step was reached or the deal closed, the first owner, or
    the present one. An open deal of the snapshot is always its present owner's.
    window: a step, win or loss counts if it came at most this long (elapsed time) after the entry, and only
    for deals that are mature, that is, at least as old as the window at `now`.
    per_attempt: each closing counts, also one that was reopened; otherwise a deal counts once, by its last.
    places: the order of stages of one pipeline version; stages that it does not name, and all stages if there
    is none, keep the place they had when the deal entered them.
    """

    mode: Mode = "reached"
    attribution: Attribution = "at_step"
    window: timedelta | None = None
    now: datetime | None = None
    per_attempt: bool = False
    dimensions: tuple[Dimension, ...] = ("all", "owner", "source", "reason")
    places: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.window is not None and self.now is None:
            raise ValueError("A window needs to know which deals are old enough.")

    def parts(self, dimension: Dimension) -> bool:
        """Whether the numbers of one deal's cohort may go to several values: shares of those mean nothing."""
        return self.attribution == "at_step" and dimension in ("owner", "team")


KEPT = Terms()


def places_in(stages: Sequence[Stage], versions: Iterable[Sequence[Stage]]) -> dict[str, int]:
    """Where every stage that the pipeline ever had stands in one version of it.

    A stage that this version lacks stands with the nearest stage before it that the version has.
    """
    places = {stage.stage_id: place for place, stage in enumerate(stages)}
    for version in versions:
        before = 0
        for stage in version:
            before = places.setdefault(stage.stage_id, before)
    return places


def kept_cells_serve(places: Mapping[str, int], versions: Iterable[Sequence[Stage]]) -> bool:
    """Whether the kept cells answer for these places: true while no version has moved or removed a stage."""
    return all(places[stage.stage_id] == at for version in versions for at, stage in enumerate(version))


def contribute(deal: Deal, zone: ZoneInfo, terms: Terms = KEPT) -> Cells:
    cells: Cells = {}
    if deal.created_at is None:
        return cells
    _cohort(cells, deal, deal.created_at, zone, terms)
    outcome = closing(deal)
    if outcome is None:
        _snapshot(cells, deal, terms)
    if terms.per_attempt:
        for each in deal.outcomes:
            _closed(cells, deal, each, zone, terms)
    elif outcome is not None:
        _closed(cells, deal, outcome, zone, terms)
    return cells


def _cohort(cells: Cells, deal: Deal, entered: datetime, zone: ZoneInfo, terms: Terms) -> None:
    pipeline, day = str(deal.pipeline_id), day_of(entered, zone)
    moments: list[Moment | None] | None = None
    if len(deal.owners) == 1 and terms is KEPT:
        numbers = _reached_numbers(deal)
    else:
        moments = _moments(deal, entered, terms)
        numbers = _numbers(moments)
    for dimension in terms.dimensions:
        if dimension == "reason":
            continue
        if moments is None or not terms.parts(dimension):
            owner = deal.owners[-1 if terms.attribution == "current" else 0]
            cells["cohort", pipeline, dimension, day, _value(dimension, deal, owner), ""] = numbers
        else:
            for value, own in _by_owner(deal, moments, dimension).items():
                cells["cohort", pipeline, dimension, day, value, ""] = _numbers(own)


def _reached_numbers(deal: Deal) -> Numbers:
    """What `_numbers(_moments(...))` is under the kept terms, without the moments, which one owner spares."""
    reached, won, lost = 0, 0, 0
    for entry in deal.entries:
        if entry.place >= reached and not entry.void:
            reached = entry.place + 1
    for outcome in deal.outcomes:
        if outcome.kind == "won":
            reached = MOST_STAGES
    if deal.outcomes:
        won, lost = int(deal.outcomes[-1].kind == "won"), int(deal.outcomes[-1].kind == "lost")
    return (1, 1, won, lost, *_REACH[min(reached, MOST_STAGES)])


def _numbers(moments: list[Moment | None]) -> Numbers:
    return tuple([0 if moment is None else 1 for moment in moments])


def _moments(deal: Deal, entered: datetime, terms: Terms) -> list[Moment | None]:
    """When each of the cohort's numbers came true for the deal, in their order; None where it did not."""
    entry: Moment = (entered, deal.owners[0].turn)
    window = terms.window
    if window is not None and terms.now is not None and terms.now - entered < window:
        return [entry, *[None] * (FIRST_STEP - 1 + MOST_STAGES)]
    won: Moment | None = None
    lost: Moment | None = None
    outcome = closing(deal)
    if outcome is not None and outcome.kind == "won":
        won = outcome[:2]
    elif outcome is not None:
        lost = outcome[:2]
    steps = _strict(deal, terms) if terms.mode == "strict" else _touched(deal, terms)
    if terms.mode == "reached":
        _fill(steps, min((each[:2] for each in deal.outcomes if each.kind == "won"), default=None))
    later = [won, lost, *steps]
    if window is not None:
        later = [None if moment is None or moment[0] - entered > window else moment for moment in later]
    return [entry, entry, *later]


def _touched(deal: Deal, terms: Terms) -> list[Moment | None]:
    first: list[Moment | None] = [None] * MOST_STAGES
    for entry in deal.entries:
        if not entry.void:
            place = min(terms.places.get(entry.stage_id, entry.place), MOST_STAGES - 1)
            moment, before = entry[:2], first[place]
            if before is None or moment < before:
                first[place] = moment
    return first


def _fill(first: list[Moment | None], earliest: Moment | None) -> None:
    """From "touched" to "reached": a deal in a later stage, or won, has passed the earlier ones by then."""
    for place in range(MOST_STAGES - 1, -1, -1):
        moment = first[place]
        if moment is None or (earliest is not None and earliest < moment):
            first[place] = earliest
        else:
            earliest = moment


def _strict(deal: Deal, terms: Terms) -> list[Moment | None]:
    steps: list[Moment | None] = []
    for entry in sorted(deal.entries):
        place = terms.places.get(entry.stage_id, entry.place)
        if not entry.void and place == len(steps) and place < MOST_STAGES:
            steps.append(entry[:2])
    return [*steps, *[None] * (MOST_STAGES - len(steps))]


def _by_owner(
    deal: Deal, moments: list[Moment | None], dimension: Dimension
) -> dict[str, list[Moment | None]]:
    credit: dict[str, list[Moment | None]] = {}
    for index, moment in enumerate(moments):
        if moment is not None:
            value = _value(dimension, deal, _credited(deal, moment, "at_step"))
            credit.setdefault(value, [None] * len(moments))[index] = moment
    return credit


def _snapshot(cells: Cells, deal: Deal, terms: Terms) -> None:
    pipeline = str(deal.pipeline_id)
    stage, amount, owner = current_stage(deal), deal.amounts[-1], deal.owners[-1]
    numbers = (1, amount.minor or 0)
    for dimension in terms.dimensions:
        if dimension != "reason":
            value = _value(dimension, deal, owner)
            cells["snapshot", pipeline, dimension, stage, value, amount.currency] = numbers


def _closed(cells: Cells, deal: Deal, outcome: Outcome, zone: ZoneInfo, terms: Terms) -> None:
    if outcome.kind == "reopened":
        return
    pipeline, day, minor = str(deal.pipeline_id), day_of(outcome.at, zone), outcome.minor or 0
    numbers = (1, minor, 0, 0) if outcome.kind == "won" else (0, 0, 1, minor)
    owner = _credited(deal, outcome[:2], terms.attribution)
    for dimension in terms.dimensions:
        value = value_of(outcome.reason) if dimension == "reason" else _value(dimension, deal, owner)
        key: CellKey = ("closed", pipeline, dimension, day, value, outcome.currency)
        cells[key] = tuple(map(int.__add__, cells[key], numbers)) if key in cells else numbers


def _credited(deal: Deal, moment: Moment, attribution: Attribution) -> Owner:
    if attribution == "at_step" and len(deal.owners) > 1:
        return owner_at(deal.owners, moment)
    return deal.owners[-1 if attribution == "current" else 0]


def _value(dimension: Dimension, deal: Deal, owner: Owner) -> str:
    if dimension == "owner":
        return value_of(owner.owner_id)
    if dimension == "source":
        return deal.source or ""
    if dimension == "all":
        return ""
    return (owner.team if dimension == "team" else deal.product) or ""
