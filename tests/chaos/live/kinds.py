"""Every kind of fault, and how often each comes."""

from collections.abc import Sequence

from tests.chaos.live import faults_data, faults_disks, faults_kafka
from tests.chaos.live.faults import Fault, Kind, plain
from tests.chaos.live.fleet import PLACES, WRITING

KAFKA, POSTGRES = frozenset(["kafka"]), frozenset(["postgres"])


def everything() -> list[Kind]:
    return [*plain(), *_of_kafka(), *_of_disks(), *_of_data()]


def scripted(names: Sequence[str]) -> list[Kind]:
    """One of each name, that of the first place or service."""
    first = {kind.name: kind for kind in reversed(everything())}
    return [first[name] for name in names]


def _of_kafka() -> list[Kind]:
    return [
        kind
        for service in WRITING
        for kind in (
            Kind("kafka loses its tail", faults_kafka.losing_tail(service), 0.4, KAFKA, overlaps=False),
            Kind("records expire unread", faults_kafka.expiring(service), 0.5, KAFKA, overlaps=False),
        )
    ]


def _of_disks() -> list[Kind]:
    def kind(name: str, fault: Fault, weight: float, touches: frozenset[str]) -> Kind:
        return Kind(name, fault, weight, touches, needs_preload=True)

    return [
        kind("slow fsync", faults_disks.slow_fsync, 2.0, POSTGRES),
        kind("failing fsync", faults_disks.failing_fsync, 1.5, POSTGRES),
        kind("disk full", faults_disks.full_disk, 1.5, POSTGRES),
        *(
            kind("clock jumps", faults_disks.jumping_clock(place.name), 0.4, frozenset([place.name]))
            for place in PLACES
        ),
    ]


def _of_data() -> list[Kind]:
    return [
        Kind(
            "rebuild a view",
            faults_data.rebuilding("analytics"),
            1.0,
            frozenset(["analytics"]),
            overlaps=False,
        ),
        Kind("a record that a view cannot take", faults_data.poisoned, 1.0, POSTGRES, overlaps=False),
        *(
            kind
            for service in WRITING
            for kind in (
                Kind("restore a backup", faults_data.restoring(service), 0.25, POSTGRES, overlaps=False),
                Kind("migrate", faults_data.migrating(service), 0.4, POSTGRES, overlaps=False),
                Kind("rebuild a read model", faults_data.rebuilding(service), 0.4, POSTGRES, overlaps=False),
            )
        ),
    ]
