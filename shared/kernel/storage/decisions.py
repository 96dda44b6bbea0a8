"""The pure middle of a batch: intents decided one after another on what is known, in memory, without a wait.

A pass that meets something not yet loaded names it in `Missing`; the batch loads it and decides again from the start.
Deciding twice is harmless, because deciding writes nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from typing import Any
from uuid import UUID

import structlog

from kernel.domain.errors import Conflict, NotFound, Refused, Stale
from kernel.domain.ids import new_id
from kernel.runtime.logs import told
from kernel.storage.aggregate import AnyAggregate, Intent, Step
from kernel.storage.keys import Keyring
from kernel.storage.known import Decided, Draft, Known, Missing, Tip, UniqueKey
from kernel.storage.log import Head
from kernel.storage.occurrence import occurrence

log = structlog.get_logger()

CREATED = 201
# Thousands of facts of an ordinary record; in bytes.
MOST_OF_ONE_STREAM = 4 * 1024 * 1024


class Incomplete(Exception):
    """This pass lacks something; what it lacks is in `missing`."""


@dataclass(slots=True)
class Decisions:
    """One pass over a batch. `outcomes` has one entry per intent, in order."""

    known: Known
    head: Head
    keyring: Keyring
    intents: Sequence[Intent] = ()
    outcomes: list[Decided | Exception] = field(default_factory=list)
    drafts: list[Draft] = field(default_factory=list)
    tips: dict[UUID, Tip] = field(default_factory=dict)
    unique: dict[UniqueKey, UUID | None] = field(default_factory=dict)
    erased: set[UUID] = field(default_factory=set)
    missing: Missing = field(default_factory=Missing)

    def decide_all(self, intents: Sequence[Intent]) -> "Decisions":
        self.intents = intents
        for intent in intents:
            try:
                self.outcomes.append(self._decide(intent))
            except (Refused, Incomplete) as outcome:
                # Without the frames that raised it: they hold the pass, which holds the outcome.
                self.outcomes.append(outcome.with_traceback(None))
            except Exception as error:  # a fault in one command's code is no fault of its neighbours
                log.error("decide_failed", category=intent.target.aggregate.category, **told(error))
                self.outcomes.append(error)
        return self

    def _decide(self, intent: Intent) -> Decided:
        occurred_at, claimed_at = occurrence(intent.occurred_at, self.head.now)
        trial = _Trial(self)
        for step in intent.steps:
            self._check(trial, intent, step)
            for fact in self._facts(trial, step, occurred_at):
                trial.add(intent, step, fact, occurred_at, claimed_at)
        trial.check_unique()
        trial.accept()
        target = intent.target.stream_id
        tip = self.tips[target]
        return Decided(target, tip.version, tip.state)

    def _check(self, trial: "_Trial", intent: Intent, step: Step) -> None:
        tip = trial.tip(step)
        if intent.sees and tip.version and step.aggregate.owner:
            owned = step.aggregate.owner(tip.state)
            if owned is not None and not intent.sees(owned):
                raise NotFound("There is no such record.")
        if step is not intent.target:
            return
        if intent.must_be_new and tip.version:
            raise Stale("The record exists already.", current_etag=f'"v{tip.version}"')
        if intent.expected_version is not None and intent.expected_version != tip.version:
            if not tip.version and intent.status != CREATED:
                raise NotFound("There is no such record.")
            raise Stale("The record has changed since you read it.", current_etag=f'"v{tip.version}"')

    def _facts(self, trial: "_Trial", step: Step, occurred_at: datetime) -> Sequence[Any]:
        state = trial.tip(step).state
        command = step.command
        if "at" in _field_names(type(command)):
            # The rule's time is the fact's time, after it was checked against the database's clock.
            command = replace(command, at=occurred_at)
        rules: Any = None
        if step.aggregate.rules:
            which = step.aggregate.rules.which(state, command)
            rules = self._rules(step.aggregate.rules.aggregate, which)
        return step.aggregate.under(rules).decide(state, command)

    def _rules(self, aggregate: AnyAggregate, stream_id: UUID | None) -> Any:
        if stream_id is None:
            return aggregate.decider.initial
        tip = self.tips.get(stream_id)
        if tip is not None:
            return tip.state if tip.aggregate.category == aggregate.category else aggregate.decider.initial
        if stream_id not in self.known.streams:
            self.missing.streams.add(stream_id)
            raise Incomplete
        stream = self.known.streams[stream_id]
        if stream is None or stream.category != aggregate.category:
            return aggregate.decider.initial
        return stream.state


class _Trial:
    """What one intent would change; it reaches the pass only when all its steps are accepted."""

    def __init__(self, pass_: Decisions) -> None:
        self._pass = pass_
        self._tips: dict[UUID, Tip] = {}
        self._drafts: list[Draft] = []
        self._unique: dict[UniqueKey, UUID | None] = {}
        self._erased: set[UUID] = set()

    def tip(self, step: Step) -> Tip:
        tip = self._tips.get(step.stream_id) or self._pass.tips.get(step.stream_id)
        if tip is None:
            stream = self._pass.known.streams[step.stream_id]
            if stream is None:
                tip = Tip(step.aggregate, 0, step.aggregate.decider.initial)
            elif stream.category != step.aggregate.category:
                raise NotFound("There is no such record.")
            else:
                tip = Tip(step.aggregate, stream.version, stream.state)
            self._tips[step.stream_id] = tip
        elif tip.aggregate.category != step.aggregate.category:
            raise NotFound("There is no such record.")
        return tip

    def add(
        self, intent: Intent, step: Step, fact: Any, occurred_at: datetime, claimed_at: datetime | None
    ) -> None:
        tip = self.tip(step)
        aggregate = step.aggregate
        encoded = aggregate.codec.encode(fact)
        draft = Draft(
            aggregate,
            intent,
            step.stream_id,
            tip.version + 1,
            new_id(),
            fact,
            encoded,
            occurred_at,
            claimed_at,
        )
        if encoded.personal:
            self._check_person(draft.person_id)
        if isinstance(fact, aggregate.erasing):
            self._erased.add(step.stream_id)
        else:
            self._check_room(step.stream_id)
        state = aggregate.evolve(tip.state, fact)
        self._drafts.append(draft)
        self._tips[step.stream_id] = Tip(aggregate, tip.version + 1, state)

    def _check_person(self, person_id: UUID) -> None:
        known = self._pass.known.keys
        if person_id not in known:
            self._pass.missing.persons.add(person_id)
            return
        key = known[person_id]
        if person_id in self._pass.erased or person_id in self._erased or (key and key.shredded):
            raise Conflict("This person has been erased.", code="PERSON_ERASED")

    def _check_room(self, stream_id: UUID) -> None:
        """A history is loaded and folded as a whole, under the log's lock."""
        stream = self._pass.known.streams.get(stream_id)
        if stream is not None and stream.weight > MOST_OF_ONE_STREAM:
            raise Conflict("This record's history is too long to go on.", code="HISTORY_FULL")

    def check_unique(self) -> None:
        """What the intent as a whole takes and gives back: a value may move between two of its own streams."""
        digest = self._pass.keyring.unique_digest
        taken: dict[UniqueKey, UUID] = {}
        released: dict[UniqueKey, UUID] = {}
        for stream_id, tip in self._tips.items():
            if tip.aggregate.unique is None:
                continue
            before, after = (
                tip.aggregate.unique(self._before(stream_id, tip)),
                tip.aggregate.unique(tip.state),
            )
            for kind, value in after.items():
                if before.get(kind) != value:
                    key = (kind, digest(kind, value))
                    if taken.setdefault(key, stream_id) != stream_id:
                        raise Conflict(f"Two records cannot share this {kind}.", code="DUPLICATE", field=kind)
            for kind, value in before.items():
                if after.get(kind) != value:
                    released[kind, digest(kind, value)] = stream_id
        for key, claimant in taken.items():
            holder = self._holder(key)
            if holder not in (None, claimant, released.get(key)):
                raise Conflict(f"Another record has this {key[0]}.", code="DUPLICATE", field=key[0])
        self._unique = {**dict.fromkeys(released), **taken}

    def _before(self, stream_id: UUID, tip: Tip) -> Any:
        if stream_id in self._pass.tips:
            return self._pass.tips[stream_id].state
        stream = self._pass.known.streams[stream_id]
        return tip.aggregate.decider.initial if stream is None else stream.state

    def _holder(self, key: UniqueKey) -> UUID | None:
        if key in self._pass.unique:
            return self._pass.unique[key]
        if key not in self._pass.known.unique:
            self._pass.missing.unique.add(key)
            return None
        return self._pass.known.unique[key]

    def accept(self) -> None:
        self._pass.tips |= self._tips
        self._pass.drafts += self._drafts
        self._pass.unique |= self._unique
        self._pass.erased |= self._erased


_names: dict[type, frozenset[str]] = {}


def _field_names(cls: type) -> frozenset[str]:
    if cls not in _names:
        _names[cls] = frozenset(field.name for field in fields(cls))
    return _names[cls]
