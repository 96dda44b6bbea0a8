"""What each check must find: the finished world altered behind the product's back, one thing at a time."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import LiteralString

from tests.chaos.live import checks_figures, checks_log, checks_topic
from tests.chaos.live.checks_erased import GONE, NEVER_THERE
from tests.chaos.live.checks_lists import SHOWN
from tests.chaos.live.checks_log import PRINCIPAL
from tests.chaos.live.checks_processes import FILES, HELD, holdings
from tests.chaos.live.fleet import Fleet
from tests.chaos.live.run import Run
from tests.chaos.live.wishes_contacts import CANARY, canary

Act = Callable[[Run], None]
_NEWEST = "(SELECT max(position) FROM events)"
_HEARD = "(SELECT max(position) FROM received WHERE source = %s)"
# The table of a view has the number of its version.
_SHOW_NOT = """
DO $$ BEGIN EXECUTE (
    SELECT format('DELETE FROM %%1$I WHERE id = (SELECT id FROM %%1$I ORDER BY id LIMIT 1)', name || '_' || version)
    FROM views WHERE live AND name = 'company_directory'
); END $$
"""
_ORDERED = "(SELECT max(position) FROM events WHERE type = 'OrderPlaced')"


@dataclass(frozen=True, slots=True)
class Tampering:
    """After `act`, `look` must find `promise` broken."""

    promise: str
    act: Act
    look: Act


def sql(service: str, statement: LiteralString, *values: object) -> Act:
    return lambda run: change(run.fleet, service, statement, *values)


def change(fleet: Fleet, service: str, statement: LiteralString, *values: object) -> None:
    fleet.rows(service, statement, *values)


def logs(service: str) -> Act:
    return lambda run: run.world.logs.whole(service)


def lose_a_claim(run: Run) -> None:
    key = next(iter(run.world.ledger.of("contacts")))
    change(run.fleet, "contacts", "DELETE FROM idempotency WHERE key = %s", key)


def claim_as(run: Run, key: str, service: str) -> None:
    copied = """
    INSERT INTO idempotency (principal, key, fingerprint, command_id, status, stream_id, version)
    SELECT principal, %s, fingerprint, command_id, status, stream_id, version FROM idempotency
    WHERE principal = %s LIMIT 1
    """
    change(run.fleet, service, copied, key, PRINCIPAL)


def do_what_was_refused(run: Run) -> None:
    claim_as(
        run, next(key for key, name in run.world.ledger.refused.items() if name == "contacts"), "contacts"
    )


def do_what_was_taken_back(run: Run) -> None:
    key, said = next(iter(run.world.ledger.taken_back.items()))
    claim_as(run, key, said.service)


def say_again_what_was_erased(run: Run) -> None:
    erased = run.fleet.rows("contacts", "SELECT stream_id FROM events WHERE type = 'PersonErased' LIMIT 1")
    person = erased[0][0]
    # A text that nothing in the product reads.
    kept = "INSERT INTO unique_values (kind, digest, stream_id) VALUES (%s, %s, %s)"
    change(run.fleet, "contacts", kept, canary(person), b"kept", person)


def log_a_word(run: Run) -> None:
    with run.fleet.log_of("contacts-api").open("a") as file:
        file.write(f"{CANARY}0123456789abcdef\n")


def forget_what_was_heard(run: Run) -> None:
    """A reader of the topic who missed one record of a partition that has a later one."""
    counting = run.world.topics.counting("contacts")
    run.world.topics = checks_topic.TopicChecks(run.fleet, run.world.tape, run.world.findings)
    of_it = [record for record in counting if record.partition == counting[-1].partition]
    missed = of_it[len(of_it) // 2]
    heard = run.world.tape.topics["contacts"].heard
    heard[:] = [record for record in heard if record.event != missed.event]


def hear_what_is_not_there(run: Run) -> None:
    counting = run.world.topics.counting("service-desk")
    # Not of the newest: the row may have been put back before them.
    altered = counting[len(counting) // 2]
    # One that has read nothing yet.
    run.world.topics = checks_topic.TopicChecks(run.fleet, run.world.tape, run.world.findings)
    heard = run.world.tape.topics["service-desk"].heard
    heard[heard.index(altered)] = replace(altered, event="00000000-0000-7000-8000-000000000000")


def topics(service: str) -> Act:
    return lambda run: run.world.topics.check(service, run.world.topics.passed_on(service))


def hold_one_too_many(run: Run) -> None:
    """By what they are said to have held at the beginning."""
    now = {name: holdings(process.pid) for name, process in run.fleet.processes.items()}
    run.processes.begun = {name: replace(held, files=held.files - FILES - 1) for name, held in now.items()}


def all_logs(run: Run) -> None:
    for name in ("contacts", "opportunities", "service-desk"):
        run.world.logs.whole(name)


TAMPERINGS: Sequence[Tampering] = (
    # These three ask the services too, which do not bear what others do to their logs.
    Tampering(SHOWN, sql("contacts", _SHOW_NOT), lambda run: run.lists.whole()),
    Tampering(GONE, say_again_what_was_erased, lambda run: run.erasures.whole()),
    Tampering(NEVER_THERE, log_a_word, lambda run: run.erasures.whole()),
    Tampering(checks_log.STORED, lose_a_claim, logs("contacts")),
    Tampering(checks_log.NO_EFFECT, do_what_was_refused, logs("contacts")),
    Tampering(checks_log.RESTORED, do_what_was_taken_back, all_logs),
    Tampering(
        checks_log.NOBODYS, lambda run: claim_as(run, "nobody-0000001", "service-desk"), logs("service-desk")
    ),
    Tampering(
        checks_log.VERSIONS,
        sql("opportunities", f"UPDATE events SET version = version + 1 WHERE position = {_NEWEST}"),
        logs("opportunities"),
    ),
    Tampering(
        checks_log.FORWARD,
        sql("service-desk", "UPDATE relay SET position = position - 1"),
        logs("service-desk"),
    ),
    Tampering(
        checks_figures.HEARD,
        sql("analytics", f"DELETE FROM received WHERE position = {_HEARD}", "contacts"),
        lambda run: run.figures.heard("contacts"),
    ),
    Tampering(
        checks_figures.FIGURES,
        sql("opportunities", f"UPDATE events SET type = 'OrderCancelled' WHERE position = {_ORDERED}"),
        lambda run: run.figures.figures(),
    ),
    Tampering(checks_topic.CHAINS, forget_what_was_heard, topics("contacts")),
    Tampering(checks_topic.SENT, forget_what_was_heard, topics("contacts")),
    Tampering(checks_topic.NOTHING_ELSE, hear_what_is_not_there, topics("service-desk")),
    Tampering(HELD, hold_one_too_many, lambda run: run.processes.end()),
)
