"""A person's own words, planted wherever the services take them, and looked for everywhere, before and after."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest
from kernel.domain.ids import new_id
from kernel.testing.servers import temporary_folder

from tests.system.running import NAMES, System, eventually
from tests.system.topics import everything_in_topics

WORD, NUMBER = "Quillfeather", "70077007"
CANARIES = [form for word in (WORD.lower(), NUMBER) for form in (word, word.encode().hex())]

PERSON = {
    "name": f"{WORD} Xu",
    "email": f"{WORD.lower()}@example.org",
    "phone": f"+86 {NUMBER}",
    "address": f"{WORD} Road 7",
    "note": f"Call {NUMBER} at noon.",
}


@pytest.fixture(params=["feed", pytest.param("kafka", marks=pytest.mark.kafka)])
def company(request: pytest.FixtureRequest) -> Iterator[System]:
    if request.param == "feed":
        yield request.getfixturevalue("system")
        return
    postgres, kafka = (request.getfixturevalue(f"mortal_{name}") for name in ("postgres", "kafka"))
    with temporary_folder() as folder, System(Path(folder), postgres, kafka) as running:
        yield running


class Planted:
    """A contact, a deal and a complaint of one person, with that person's words in every field that takes any."""

    def __init__(self, system: System) -> None:
        self.system = system
        self.person = new_id()
        self.registration = {"id": str(self.person), **PERSON}
        system.post("contacts", "/v1/contacts", self.registration, **self.key)
        self.deal = self._deal()
        self.complaint = self._complaint()

    @property
    def key(self) -> dict[str, str]:
        return {"Idempotency-Key": f"planted-{self.person}"}

    def _deal(self) -> str:
        stages = [{"stage_id": "lead", "name": "Lead"}, {"stage_id": "signed", "name": "Signed"}]
        pipeline = self.system.post("opportunities", "/v1/pipelines", {"name": "Direct", "stages": stages})
        said = {"title": f"Twelve pumps for {WORD}", "currency": "CNY", "person_id": str(self.person)}
        deal = self.system.post(
            "opportunities", "/v1/opportunities", {"pipeline_id": pipeline.json()["id"], **said}
        ).headers["Location"]
        self.system.post("opportunities", f"{deal}/lose", {"reason": "price", "note": f"{WORD} said so"})
        return deal

    def _complaint(self) -> str:
        said = {"subject": f"{WORD} is angry", "description": f"Call {NUMBER}!", "channel": "phone"}
        whose = {"customer_id": str(new_id()), "person_id": str(self.person)}
        complaint = self.system.post("service-desk", "/v1/complaints", said | whose).headers["Location"]
        words = {"send-first-reply": "text", "resolve": "solution", "reopen": "reason"}
        for step, field in words.items():
            self.system.post("service-desk", f"{complaint}/{step}", {field: f"Dear {WORD}"})
        return complaint

    def refused(self) -> None:
        """Requests that fail with the words in them: an error must not keep what it refuses."""
        broken = [
            ("contacts", "/v1/contacts", {**PERSON, "email": f"no mail of {WORD}"}),
            ("contacts", "/v1/contacts", {**PERSON, "name": f"{WORD}\u0000"}),
            ("opportunities", "/v1/opportunities", {"title": WORD, "currency": WORD}),
            ("service-desk", f"{self.complaint}/resolve", {"solution": {"not": WORD}}),
        ]
        for name, path, body in broken:
            answer = self.system.http.post(
                f"{self.system.urls[name]}{path}", json=body, headers={"Idempotency-Key": f"no-{new_id()}"}
            )
            assert answer.status_code == httpx.codes.UNPROCESSABLE_ENTITY
        self.system.get("contacts", "/v1/contacts", q=WORD)

    def reads(self) -> Iterator[tuple[str, str]]:
        """Everything that shows the three records, with the answer to the very first command made again."""
        records = {"contacts": f"/v1/contacts/{self.person}", "opportunities": self.deal}
        for name, path in (records | {"service-desk": self.complaint}).items():
            listed = path.rpartition("/")[0]
            for asked in (path, f"{path}/timeline", listed):
                yield f"{name}{asked}", self._text(name, asked)
        again = self.system.post("contacts", "/v1/contacts", self.registration, **self.key)
        assert again.headers["Idempotency-Replayed"] == "true"
        yield "the first answer again", again.text

    def _text(self, name: str, path: str, **query: Any) -> str:
        answer = self.system.http.get(f"{self.system.urls[name]}{path}", params=query)
        assert answer.is_success
        return answer.text


def test_a_person_is_erased_everywhere(company: System) -> None:
    planted = Planted(company)
    planted.refused()
    dumps = {name: company.dump(name) for name in NAMES}
    assert [name for name in NAMES if found(dumps[name])] == ["contacts", "opportunities", "service-desk"]
    assert all(found(text) for where, text in planted.reads() if "timeline" not in where)
    assert leaks(company) == []

    company.post("contacts", f"/v1/contacts/{planted.person}/erase", {"reason": "requested"})
    for name in ("opportunities", "service-desk"):
        eventually(lambda name=name: is_forgotten(company, name, planted.person), f"{name} has heard")  # type: ignore[misc]

    assert [name for name in NAMES if found(company.dump(name))] == []
    assert [where for where, text in planted.reads() if found(text)] == []
    assert leaks(company) == []
    assert is_refused_from_now_on(company, planted.person)
    # How events travel is nothing to a database.
    assert company.kafka or company.findings(NAMES[:3]) == []


def found(text: str) -> list[str]:
    return [canary for canary in CANARIES if canary in text.lower()]


def leaks(system: System) -> list[str]:
    """Where the words may never be, erased or not: what leaves a service, what is counted, what is logged."""
    texts = {f"feed of {name}": str(system.feed(name)) for name in NAMES}
    texts |= {f"log of {name}": system.log_of(name).read_text() for name in NAMES}
    texts |= {
        "topics": everything_in_topics(system),
        "analytics": system.dump("analytics"),
        "log of PostgreSQL": system.postgres.log.read_text(errors="replace"),
        "erased": "".join(file.read_text() for file in system.local.folder.glob("erased-*.txt")),
    }
    return [where for where, text in texts.items() if found(text)]


def is_forgotten(system: System, name: str, person: UUID) -> bool:
    query = "SELECT count(*) FROM events WHERE type = 'PersonForgotten' AND stream_id = %s"
    return bool(system.rows(name, query, person) == [(1,)])


def is_refused_from_now_on(system: System, person: UUID) -> bool:
    said = {"subject": WORD, "description": WORD, "channel": "phone", "customer_id": str(new_id())}
    answer = system.http.post(
        f"{system.urls['service-desk']}/v1/complaints",
        json={**said, "person_id": str(person)},
        headers={"Idempotency-Key": f"late-{person}"},
    )
    return bool(answer.json()["code"] == "PERSON_ERASED")
