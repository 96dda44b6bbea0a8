"""A running SHA-256 over the log, so that an altered past shows.

The encoding is our own and versioned: never `row::text`, which changes with settings and new columns.
"""

from datetime import UTC, datetime, timedelta
from hashlib import sha256
from json import JSONEncoder

from kernel.storage.log import StoredEvent

VERSION = b"1"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_ENCODER = JSONEncoder(sort_keys=True, separators=(",", ":"))
START = sha256(b"guanxi log digest " + VERSION).digest()


def extend(digest: bytes, event: StoredEvent) -> bytes:
    """The digest after one more event. `personal_digest` stands for the sealed object, so a redaction keeps it."""
    said = _ENCODER.encode(
        [
            event.position,
            str(event.stream_id),
            event.version,
            str(event.event_id),
            event.type,
            event.schema_version,
            event.data,
            event.personal_digest.hex() if event.personal_digest else None,
            event.meta,
            (event.occurred_at - _EPOCH) // _MICROSECOND,
            (event.recorded_at - _EPOCH) // _MICROSECOND,
        ]
    )
    return sha256(digest + said.encode()).digest()
