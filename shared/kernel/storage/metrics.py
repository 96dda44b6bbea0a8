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
RELAY_LAG = Gauge("crm_relay_lag_events", "Events in the log that the relay has not yet passed on.")
RELAYED = Counter("crm_relay_records_total", "Records acknowledged by the broker.")
FOLLOWED = Counter("crm_follower_records_total", "Records applied by a follower.", ["follower"])
LAG = Gauge("crm_projection_lag_seconds", "Age of what a follower knows of a source.", ["source"])
PARKED = Gauge("crm_parked_records", "Records that wait behind a failure.", ["follower"])
