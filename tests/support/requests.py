"""Requests to any service: for every operation an example, and a record that it can be sent to."""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any
from uuid import UUID

import httpx
from kernel.testing.fixtures import new_key
from kernel.web.commands import Operation

Json = dict[str, Any]

UNKNOWN = UUID("01920000-0000-7000-8000-00000000ffff")
LONG_AGO = "2024-02-29T09:30:00+08:00"


class Requests:
    """What the tests have to know of a service in order to send it anything that it takes."""

    def __init__(
        self,
        operations: Iterable[Operation],
        examples: Mapping[str, Json],
        record_for: Callable[[httpx.AsyncClient, str], Awaitable[str | None]],
    ) -> None:
        """`record_for` makes a fresh record of somebody's for an operation, or none where it needs none."""
        self.operations = {operation.id: operation for operation in operations}
        self.examples = examples
        self.record_for = record_for
        self.creating = [name for name, operation in self.operations.items() if operation.creates]
        self.changing = [name for name, operation in self.operations.items() if "{id}" in operation.path]
        self.matched = [name for name, operation in self.operations.items() if operation.if_match]

    async def send(
        self,
        client: httpx.AsyncClient,
        name: str,
        record: Any = None,
        body: Json | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        """Sends the example, or `body`; a key or an If-Match of no consequence goes along where one is needed."""
        operation = self.operations[name]
        needed = new_key() if operation.creates else {"If-Match": "*"} if operation.if_match else {}
        return await client.request(
            operation.method,
            self.path(name, record),
            json=self.examples[name] if body is None else body,
            headers={**needed, **(headers or {})},
        )

    def path(self, name: str, record: Any = UNKNOWN) -> str:
        return self.operations[name].path.replace("{id}", str(record))

    def own_path(self, name: str, record: str) -> str:
        """Where the record itself is read."""
        return f"{self.path(name, record).partition(record)[0]}{record}"


def code_of(answer: httpx.Response) -> tuple[int, str]:
    """Of a refusal; whatever else an answer says, it is a problem document."""
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    problem = answer.json()
    assert problem["status"] == answer.status_code
    assert problem["type"] == f"/problems/{problem['code'].lower().replace('_', '-')}"
    return answer.status_code, problem["code"]
