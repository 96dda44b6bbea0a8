"""Sends every documented operation of a service its random requests, and says what was wrong with the answers."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field
from random import Random
from typing import Any

import httpx
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from kernel.testing.fixtures import bearer
from schemathesis import APIOperation, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import Failure, FailureGroup
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.system.random_requests.services import Host, fresh
from tests.system.random_requests.shaping import AnyCase, shape

CHECKS = (
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
)
PATIENCE = 30.0
SAID = ("idempotency-key", "if-match", "if-none-match", "consistency-token", "prefer")
AnyOperation = APIOperation[Any, Any, Any, Any]


@dataclass
class Findings:
    """`statuses` by operation; `wrong` has one line per kind of wrong answer, with the first request that met it."""

    statuses: dict[str, Counter[int]] = field(default_factory=dict)
    wrong: dict[tuple[str, int, str], str] = field(default_factory=dict)

    @property
    def reached(self) -> float:
        return 1 - len(self.never_served) / len(self.statuses)

    @property
    def never_served(self) -> Sequence[str]:
        return [name for name, seen in self.statuses.items() if not any(200 <= s < 300 for s in seen)]


class Asker:
    """Works in a thread of its own; the service lives in `loop`."""

    def __init__(self, host: Host, loop: asyncio.AbstractEventLoop) -> None:
        self._host = host
        self._loop = loop
        self.findings = Findings()

    def ask_all(self, examples: int, spoilt: int) -> Findings:
        """`examples` requests that the document allows and `spoilt` ones that it does not, per operation."""
        schema = schemathesis.openapi.from_dict(self._host.app.openapi())
        for found in schema.get_all_operations():
            assert isinstance(found, Ok), found
            operation = found.ok()
            name = str(operation.definition.raw["operationId"])
            self.findings.statuses[name] = Counter()
            self._await(fresh(self._host, name))
            self._ask(operation, name, GenerationMode.POSITIVE, examples)
            if spoilt:
                self._ask(operation, name, GenerationMode.NEGATIVE, spoilt)
        return self.findings

    def _ask(self, operation: AnyOperation, name: str, mode: GenerationMode, examples: int) -> None:
        positive = mode is GenerationMode.POSITIVE
        # Not drawn: hypothesis likes to draw the same numbers again, and no failure is looked at twice.
        random = Random(name)

        @seed(20260101)
        @settings(
            max_examples=examples,
            database=None,
            phases=[Phase.generate],
            deadline=None,
            suppress_health_check=list(HealthCheck),
        )
        # Without the number an operation that takes nothing would be asked once.
        @given(operation.as_strategy(generation_mode=mode), st.integers())
        def one(case: AnyCase, _: int) -> None:
            if positive:
                shape(case, name, random, self._host.records)
            else:
                case.headers.update(bearer())
            self._try(case, name)

        # An operation that takes nothing cannot be asked wrongly.
        with nullcontext() if positive else suppress(Unsatisfiable):
            one()

    def _try(self, case: AnyCase, name: str) -> None:
        try:
            request = _prepared(case)
        except (requests.RequestException, UnicodeError, ValueError):
            return  # no client can send this
        answer = self._await(self._host.client.send(request))
        self.findings.statuses[name][answer.status_code] += 1
        try:
            case.validate_response(answer, checks=list(CHECKS))
        except (Failure, FailureGroup) as failure:
            failures = failure.exceptions if isinstance(failure, FailureGroup) else [failure]
            for each in failures:
                key = (name, answer.status_code, type(each).__name__)
                self.findings.wrong.setdefault(key, _told(request, answer, each))
        if "id" in case.path_parameters or case.path_parameters == {}:
            self._host.records.learn(name, request.url.path, case.query, case.body, answer)

    def _await(self, coroutine: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(PATIENCE)


def _prepared(case: AnyCase) -> httpx.Request:
    said = case.as_transport_kwargs(base_url="http://service")
    ready = requests.Request(
        said["method"],
        said["url"],
        headers=said["headers"],
        params=said.get("params"),
        cookies=said.get("cookies"),
        data=said.get("data"),
        json=said.get("json"),
    ).prepare()
    headers = [(str(name), str(value)) for name, value in ready.headers.items()]
    body: Any = ready.body
    return httpx.Request(str(ready.method), str(ready.url), headers=headers, content=body)


def _told(request: httpx.Request, answer: httpx.Response, failure: Exception) -> str:
    headers = {name: value for name, value in request.headers.items() if name in SAID}
    return (
        f"{request.method} {request.url} {headers} {request.content[:600]!r}\n"
        f"  → {answer.status_code} {answer.headers.get('content-type')} {answer.text[:600]}\n  {failure}"
    )
