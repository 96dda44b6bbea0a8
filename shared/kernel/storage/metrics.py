"""What operators watch of a service's log and its followers."""

from prometheus_client import Counter, Gauge, Histogram

COMMITTED = Counter("crm_commands_committed_total", "Commands whose outcome is durable.")
BATCH_SIZE = Histogram(
    "crm_commit_batch_size", "Commands per transaction.", buckets=(1, 2, 4, 8, 16, 32, 64, 128)
)
LOCK_WAIT = Histogram(
    "crm_log_lock_wait_seconds",
    "Wait for the log's lock.",
    buckets=(0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.25, 1, 5),
)
# Told by whoever holds the lease, and by nobody else. A position that an aborted transaction drew counts as well.
RELAY_LAG = Gauge(
    "crm_relay_lag_events", "Positions of the log that the relay has not yet passed on.", ["topic"]
)
RELAYED = Counter("crm_relay_records_total", "Records acknowledged by the broker.")
REFUSED = Counter(
    "crm_feed_refusals_total",
    "Answers 401 and 403 to CRM_SERVICE_TOKEN by another service's feed.",
    ["source"],
)
FOLLOWED = Counter("crm_follower_records_total", "Records applied by a follower.", ["follower"])
LAG = Gauge(
    "crm_projection_lag_seconds", "Since the moment up to which all of a source is known.", ["source"]
)
PARKED = Gauge(
    "crm_parked_records", "Records that wait behind a failure, in the live version of a view.", ["follower"]
)
