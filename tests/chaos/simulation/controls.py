"""Planted bugs: what the kernel would be without one of its rules. A harness that cannot show these is no evidence.

Each replaces a function or a class while a history runs; the product has no setting for any of them.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from kernel.messaging import projecting
from kernel.messaging import relay as relay_
from kernel.messaging.bookmarks import BookmarkStore
from kernel.messaging.followers import Follower
from kernel.messaging.parking import Parking
from kernel.messaging.relay import Relay
from kernel.messaging.service import Service
from kernel.messaging.tracker import Tracker
from kernel.storage import committer, log, parameters, writes
from kernel.storage.batch import Batch
from kernel.storage.lease import Lease
from kernel.storage.loading import Loader

from tests.chaos.simulation import domain, nodes, planted_readers, planted_writers
from tests.chaos.simulation.ids import Replacement
from tests.chaos.simulation.plan import READERS, Plan, plan

_NEVER_SENT = "a published fact was never sent"
_NEVER_HEARD = "a record was never heard"
_AHEAD = "a bookmark is ahead of what was heard"
_TWICE = "a record took effect twice"
_NOT_STORED = "an acknowledged command is not stored"


@dataclass(frozen=True, slots=True)
class Control:
    """`shows`: the invariants of which one must be found broken; `favours`: the faults it is sensitive to."""

    name: str
    planted: tuple[Replacement, ...]
    shows: tuple[str, ...]
    favours: tuple[str, ...] = ()
    readers: tuple[str, ...] = READERS

    def plan(self, seed: int) -> Plan:
        return plan(seed, self.favours, self.readers)


_no_upcasts = domain.make_account({})
_forgetful_bank = Service(
    domain.SOURCE,
    nodes.BANK.metadata,
    (_no_upcasts,),
    domain.publish,
    domain.Contract,
    erase=nodes.BANK.erase,
)

CONTROLS: Sequence[Control] = (
    Control(
        "append without the lock",
        ((log, "begin", planted_writers.begin_without_lock),),
        (_NEVER_SENT,),
        ("stall a statement", "stop an API"),
    ),
    Control(
        "lock taken after the position is drawn",
        (
            (log, "begin", planted_writers.begin_without_lock),
            (writes, "write", planted_writers.write_then_lock),
        ),
        (_NEVER_SENT,),
        ("stall a statement", "stop an API"),
    ),
    Control(
        "answer before commit",
        ((committer, "Batch", planted_writers.EagerBatch), (log, "begin", planted_writers.begin_when_idle)),
        (_NOT_STORED,),
    ),
    Control(
        "idempotency row in a later transaction",
        (
            (committer, "Batch", planted_writers.LateClaims),
            (writes, "write", planted_writers.write_without_claims),
            (parameters, "claims", planted_writers.no_claims),
        ),
        ("a command was carried out twice",),
    ),
    Control(
        "checkpoint saved before the rows",
        ((Follower, "_apply", planted_readers.apply_after_checkpoint),),
        (_NEVER_HEARD, _AHEAD),
    ),
    Control(
        "no compare-and-set",
        ((BookmarkStore, "move", planted_readers.move_anyway),),
        (_TWICE,),
        ("lose a commit's answer",),
        ("table",),
    ),
    Control(
        "no fencing",
        ((Lease, "fence", planted_readers.no_fence),),
        ("the relay's row went back",),
        ("stop a relay",),
    ),
    Control(
        "previous not checked",
        ((Tracker, "_fill", planted_readers.no_fill),),
        (_NEVER_HEARD, _AHEAD),
        ("expire records", "lose a tail"),
    ),
    Control(
        "swallowed exception in a view",
        ((projecting, "_try", planted_readers.try_and_forget),),
        ("a projection is not the fold of what was heard",),
        ("break the view",),
        ("projection",),
    ),
    Control(
        "dedupe by a bounded cache",
        ((Tracker, "_record", planted_readers.record_by_cache),),
        (_TWICE,),
        ("repeat old records",),
        ("reaction", "table"),
    ),
    Control(
        "a dropped upcaster",
        (
            (domain, "account", _no_upcasts),
            (nodes, "account", _no_upcasts),
            (nodes, "BANK", _forgetful_bank),
        ),
        ("a fact was published wrongly", "an answer was not true"),
    ),
    Control(
        "a key cached across an erasure",
        ((Loader, "load_keys", planted_writers.load_keys_once),),
        ("an erased person's name was shown", "something was sealed for an erased person"),
    ),
    Control(
        "a unique value not looked for",
        ((Batch, "_load_missing", planted_writers.nobody_has_it),),
        ("two accounts have one tag",),
    ),
    Control(
        "the relay's row saved before the acks",
        (
            (Relay, "_pass_on", planted_readers.pass_on_later),
            (relay_, "save", planted_readers.save_first),
        ),
        (_NEVER_SENT,),
    ),
    Control(
        "freshness stated while somebody appends",
        ((log, "nobody_appends", planted_readers.as_of_now),),
        ("the stated freshness is not true",),
        ("lose a commit's answer", "stall a statement", "stop an API"),
    ),
    Control(
        "what follows a parked record is applied",
        ((Parking, "streams", planted_readers.nobody_waits),),
        ("a parked stream was passed by", "a projection is not the fold of what was heard"),
        ("break the view",),
        ("projection",),
    ),
)
