"""Many companies in a service's log, through its batch endpoint."""

from uuid import uuid4

import httpx

from tests.bench.commands import COMPANY
from tests.bench.setting import NotPossible, Setting

AT_ONCE = 1000


async def companies(given: Setting, url: str, count: int) -> list[str]:
    """Their ids."""
    ids: list[str] = []
    async with httpx.AsyncClient(headers=given.bearer(), timeout=60, trust_env=False) as client:
        for first in range(0, count, AT_ONCE):
            items = [
                {
                    "command": "companies.register",
                    "idempotency_key": str(uuid4()),
                    "data": COMPANY | {"name": f"{COMPANY['name']} {number}"},
                }
                for number in range(first, first + AT_ONCE)
            ]
            answer = await client.post(f"{url}/v1/batch", json={"items": items})
            if answer.status_code != httpx.codes.MULTI_STATUS or answer.json()["summary"]["failed"]:
                raise NotPossible(f"the facts could not be made: {answer.text[:300]}")
            ids += [item["id"] for item in answer.json()["items"]]
    return ids
