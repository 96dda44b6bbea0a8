"""What exists once has no id to choose: a batch may not make another one that nobody reads."""

from tests.system.running import System

SOMEONE_ELSES = "00000000-0000-4000-8000-00000000beef"


def test_a_policy_defined_by_a_batch_is_the_policy(system: System) -> None:
    before = system.get("service-desk", "/v1/reply-policy")["version"]
    item = {
        "idempotency_key": "policy-by-batch",
        "command": "reply-policy.define",
        "id": SOMEONE_ELSES,
        "if_match": f'"v{before}"',
        "data": {"default_hours": 24, "hours": {"urgent": 4}},
    }
    (answer,) = system.post("service-desk", "/v1/batch", {"items": [item]}).json()["items"]
    assert answer["problem"] or system.get("service-desk", "/v1/reply-policy")["version"] == before + 1
