"""The console: who gets in and how, what its pages show, and what they never contain."""

import ast
import asyncio
import csv
import io
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import analytics.console
import httpx
import pytest
from analytics.app import service
from analytics.console import sessions
from analytics.console.grids import Cell, Column, Grid, as_csv, label
from analytics.console.rendering import POLICY
from analytics.console.texts import CHINESE, text_in
from contracts import opportunities as public
from fastapi import FastAPI
from kernel.messaging.service import Node
from kernel.testing.fixtures import api, make_settings
from kernel.web.auth import Principal, Role
from kernel.web.tokens import sign
from starlette.responses import Response

from tests.analytics.pages import Html
from tests.analytics.showcase import PEOPLE, PIPELINE, STAGES, showcase
from tests.analytics.telling import Teller
from tests.analytics.test_api import asked

PAGES = ["/console", "/console/funnel", "/console/retention", "/console/service"]


@pytest.fixture
async def visitor(app: FastAPI, analyst: httpx.AsyncClient) -> AsyncIterator[httpx.AsyncClient]:
    """A browser that has come in by a link; it has no token."""
    async with api(app) as client:
        client.headers.pop("Authorization")
        answer = await client.get((await analyst.post("/v1/console-links")).json()["url"])
        assert answer.status_code == 200
        yield client


@pytest.fixture
async def told(teller: Teller) -> None:
    await teller.hear(teller.records(showcase(datetime.now(UTC), deals=120)))


async def seen(client: httpx.AsyncClient, path: str, status: int = 200) -> Html:
    answer = await client.get(path)
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["Content-Security-Policy"] == POLICY
    assert answer.headers["Cache-Control"] == "no-store"
    return Html(answer.text)


async def test_a_link_is_for_those_who_may_see_figures(app: FastAPI) -> None:
    async with api(app) as client:
        client.headers.pop("Authorization")
        assert (await client.post("/v1/console-links")).status_code == 401
    async with api(app, "sales_rep") as client:
        assert (await client.post("/v1/console-links")).status_code == 403


async def test_a_link_opens_the_console_once(app: FastAPI, analyst: httpx.AsyncClient) -> None:
    answer = await analyst.post("/v1/console-links")
    assert (answer.status_code, answer.headers["Cache-Control"]) == (201, "no-store")
    url = answer.json()["url"]
    assert url.startswith("/console/enter?ticket=")
    async with api(app) as one, api(app) as other:
        for client in (one, other):
            client.headers.pop("Authorization")
        page = await seen(one, url)
        assert page.links["Go on to the figures"] == "/console"
        await seen(one, "/console")
        page = await seen(other, url, 401)
        assert "This link was used before, or is older than ten minutes." in page.text
        await seen(other, "/console", 401)


async def test_strangers_with_made_up_links_open_no_connections_of_their_own(app: FastAPI) -> None:
    database = app.state.node.database
    opened = 0
    connect = database.connect

    async def counted(**said: Any) -> Any:
        nonlocal opened
        opened += 1
        return await connect(**said)

    database.connect = counted
    async with api(app) as stranger:
        stranger.headers.pop("Authorization")
        asked = [stranger.get(f"/console/enter?ticket=made-up-{n}") for n in range(60)]
        assert {answer.status_code for answer in await asyncio.gather(*asked)} == {401}
    assert opened <= 6


async def test_a_link_that_is_too_old_opens_nothing(
    app: FastAPI, analyst: httpx.AsyncClient, teller: Teller
) -> None:
    url = (await analyst.post("/v1/console-links")).json()["url"]
    async with teller.database.driver() as connection:
        await connection.execute("UPDATE console_tickets SET expires_at = clock_timestamp()")
    await seen(analyst, url, 401)
    await seen(analyst, "/console/enter?ticket=made-up", 401)
    await seen(analyst, "/console/enter", 401)


async def test_tickets_that_nobody_used_are_swept_away(analyst: httpx.AsyncClient, teller: Teller) -> None:
    await analyst.post("/v1/console-links")
    async with teller.database.driver() as connection:
        await connection.execute("UPDATE console_tickets SET expires_at = clock_timestamp()")
        await analyst.post("/v1/console-links")
        assert await connection.fetchval("SELECT count(*) FROM console_tickets") == 1
        kept = await connection.fetchval("SELECT digest FROM console_tickets")
        assert len(kept) == 32


async def test_the_cookie_is_for_the_pages_alone(app: FastAPI, analyst: httpx.AsyncClient) -> None:
    url = (await analyst.post("/v1/console-links")).json()["url"]
    answer = await analyst.get(url)
    said = answer.headers["set-cookie"].lower()
    assert {"httponly", "samesite=strict", "path=/console", "max-age=43200"} <= set(said.split("; "))
    assert "secure" not in said.split("; ")
    analyst.headers.pop("Authorization")
    assert (await analyst.get("/console")).status_code == 200
    assert (await analyst.get("/v1/sales")).status_code == 401
    cookie = f"{sessions.COOKIE}={answer.cookies[sessions.COOKIE]}"
    assert (await analyst.get("/v1/sales", headers={"Cookie": cookie})).status_code == 401


async def test_outside_of_development_the_cookie_needs_an_encrypted_connection() -> None:
    node = Node(service, make_settings("postgresql://nobody@nowhere/nothing", environment="production"))
    response = Response()
    sessions.welcome(node, Principal(UUID(int=1), frozenset({Role.ANALYST}), frozenset(), 0), response)
    assert "secure" in response.headers["set-cookie"].lower().split("; ")


async def test_a_bearer_token_is_no_session(analyst: httpx.AsyncClient) -> None:
    page = await seen(analyst, "/console", 401)
    assert any("/v1/console-links" in text for text in page.text)


async def test_a_session_that_is_over_or_altered_is_none(app: FastAPI, visitor: httpx.AsyncClient) -> None:
    node = app.state.node
    cookie = visitor.cookies[sessions.COOKIE]
    said: dict[str, Any] = {"sub": str(UUID(int=1)), "roles": ["analyst"], "teams": []}
    now = datetime.now(UTC).timestamp()
    bad = [
        cookie[:-2],
        "nonsense",
        sign(node.secret, "console-session", [said, now - 1]),
        sign(node.secret, "consistency", [said, now + 60]),
        sign(b"another secret", "console-session", [said, now + 60]),
        sign(node.secret, "console-session", [said]),
        sign(node.secret, "console-session", [said | {"roles": ["king"]}, now + 60]),
    ]
    for value in bad:
        visitor.cookies.clear()
        visitor.cookies.set(sessions.COOKIE, value)
        await seen(visitor, "/console", 401)
    visitor.cookies.clear()
    visitor.cookies.set(sessions.COOKIE, sign(node.secret, "console-session", [said, now + 60]))
    await seen(visitor, "/console")
    visitor.cookies.clear()
    rep = said | {"roles": ["sales_rep"]}
    visitor.cookies.set(sessions.COOKIE, sign(node.secret, "console-session", [rep, now + 60]))
    await seen(visitor, "/console", 403)


async def test_who_leaves_is_out(visitor: httpx.AsyncClient) -> None:
    await seen(visitor, "/console")
    answer = await visitor.post("/console/leave")
    assert answer.status_code == 200
    await seen(visitor, "/console", 401)


@pytest.mark.usefixtures("told")
@pytest.mark.parametrize("language", ["en", "zh"])
async def test_pages_are_plain_labelled_and_in_their_language(
    visitor: httpx.AsyncClient, language: str
) -> None:
    for path in [*PAGES, "/console/funnel?breakdown=owner"]:
        page = await seen(visitor, f"{path}{'&' if '?' in path else '?'}lang={language}")
        assert page.language == language
        assert page.title
        assert page.forbidden == []
        assert page.scopeless == 0
        assert set(page.controls) <= page.labels
        assert page.tables
        assert all(table.caption for table in page.tables.values())
        assert all(len(row) == len(t.columns) for t in page.tables.values() for row in t.rows + t.foot)
        if language == "zh":
            ours = {"pipelines", "sales", "sources", "flow", "open", "closed", "steps", "snapshot"}
            labels = [c for name in ours & page.tables.keys() for c in page.tables[name].columns]
            assert not re.search("[A-Za-z]", "".join(labels))
    assert (await seen(visitor, PAGES[1], 200)).language == "en"
    answer = await visitor.get(PAGES[1], headers={"Accept-Language": "fr, zh-CN;q=0.9, en;q=0.5"})
    assert Html(answer.text).language == "zh"


async def test_pages_without_any_facts_say_so(visitor: httpx.AsyncClient) -> None:
    for path in PAGES:
        await seen(visitor, path)
    assert "No pipeline has been told of yet." in (await seen(visitor, "/console/funnel")).text


@pytest.mark.usefixtures("told")
async def test_the_funnel_page_shows_what_the_api_answers(
    visitor: httpx.AsyncClient, analyst: httpx.AsyncClient
) -> None:
    page = await seen(visitor, "/console/funnel?breakdown=team&mode=touched")
    query = {"pipeline_id": str(PIPELINE), "mode": "touched"}
    whole = (await asked(analyst, "/v1/funnel", **query))["rows"][0]
    assert page.tables["steps"].rows == [
        [
            step["name"],
            str(step["n"]),
            shown(step["from_previous"]),
            shown(step["from_entry"]),
            shown(step["from_milestone"]),
            shown(step["benchmark"]),
        ]
        for step in whole["steps"]
    ]
    parts = (await asked(analyst, "/v1/funnel", breakdown="team", **query))["rows"]
    assert page.tables["parts"].rows == [
        [
            row["value"],
            str(row["entered"]),
            *[str(step["n"]) for step in row["steps"]],
            str(row["won"]),
            shown(row["win_rate"]),
        ]
        for row in parts
    ]
    snapshot = (await asked(analyst, "/v1/funnel", view="snapshot"))["rows"][0]
    assert [row[1] for row in page.tables["snapshot"].rows] == [str(s["n"]) for s in snapshot["stages"]]
    closed = (await asked(analyst, "/v1/funnel", view="closed", breakdown="team"))["rows"]
    assert page.tables["closed"].by_name() == {
        row["value"]: [
            str(row["won"]),
            lines(row["won_value"]),
            str(row["lost"]),
            lines(row["lost_value"]),
            shown(row["win_rate"]),
        ]
        for row in closed
    }


@pytest.mark.usefixtures("told")
async def test_the_retention_page_shades_what_the_api_answers(
    visitor: httpx.AsyncClient, analyst: httpx.AsyncClient
) -> None:
    for mode in ("on", "unbounded"):
        table = (await seen(visitor, f"/console/retention?mode={mode}")).tables["cohorts"]
        answer = await asked(analyst, "/v1/retention", mode=mode)
        for cohort, row, looks in zip(answer["cohorts"], table.rows, table.looks, strict=False):
            assert row[:2] == [cohort["month"], str(cohort["size"])]
            for month, text, look in zip(cohort["months"], row[2:], looks[2:], strict=False):
                rate = month[f"{mode}_rate"]
                assert text == shown(rate)
                assert f"h{round(rate * 10)}" in look.split()
                assert ("running" in look.split()) is not month["complete"]
        assert table.foot[0][2 : 2 + len(answer["shares"])] == [
            shown(share[f"{mode}_rate"]) for share in answer["shares"]
        ]


@pytest.mark.usefixtures("told")
async def test_the_service_page_and_the_overview_show_what_the_api_answers(
    visitor: httpx.AsyncClient, analyst: httpx.AsyncClient
) -> None:
    page = await seen(visitor, "/console/service?breakdown=channel")
    answer = await asked(analyst, "/v1/service", breakdown="channel")
    names = "registered replied met late met_rate resolved reopened confirmed closed within_day".split()
    assert page.tables["flow"].by_name() == {
        row["value"]: [shown(row[name]) if "_" in name else str(row[name]) for name in names]
        for row in answer["flow"]
    }
    assert page.tables["open"].by_name() == {
        row["value"]: [str(row[name]) for name in ("open", "unanswered", "late", "unclosed")]
        for row in answer["open"]
    }
    overview = await seen(visitor, "/console")
    sales = (await asked(analyst, "/v1/sales", breakdown="team"))["rows"]
    assert [row[:3] for row in overview.tables["sales"].rows] == [
        [row["value"], row["sales"]["currency"], str(row["orders"])] for row in sales
    ]
    assert [row[0] for row in overview.tables["sources"].rows] == [
        "contacts",
        "opportunities",
        "service-desk",
    ]


@pytest.mark.usefixtures("told")
async def test_every_table_is_a_file_too(visitor: httpx.AsyncClient) -> None:
    for path in [*PAGES, "/console/funnel?breakdown=owner&from=2020-01-01"]:
        page = await seen(visitor, path)
        text = (await visitor.get(path)).text
        files = re.findall(r'href="(/console/[a-z]+/([a-z]+)\.csv[^"]*)"', text)
        assert {name for _, name in files} >= page.tables.keys() - {"days"}
        for href, name in files:
            answer = await visitor.get(href.replace("&amp;", "&"))
            assert answer.headers["content-type"] == "text/csv; charset=utf-8"
            rows = list(csv.reader(io.StringIO(answer.content.decode("utf-8-sig"))))
            if name in page.tables:
                table = page.tables[name]
                assert rows[0] == table.columns
                assert len(rows) - 1 == len(table.rows) + len(table.foot)
    answer = await visitor.get("/console/funnel/parts.csv?breakdown=owner")
    assert str(PEOPLE[0][0]) in answer.text
    await seen(visitor, "/console/funnel/nothing.csv", 404)
    visitor.cookies.clear()
    assert (await visitor.get("/console/funnel/steps.csv")).status_code == 401


def test_a_file_holds_no_formula() -> None:
    text = "=HYPERLINK('http://evil')"
    grid = Grid("x", "x", [Column("a"), Column("b")], [[label(text), Cell("-1", -1)]])
    rows = list(csv.reader(io.StringIO(as_csv(grid).decode("utf-8-sig"))))
    assert rows == [["a", "b"], [f"'{text}", "-1"]]


async def test_what_others_wrote_is_shown_as_text(teller: Teller, visitor: httpx.AsyncClient) -> None:
    evil = '"><script>alert(1)</script>'
    stage = public.Stage(stage_id="lead", name=evil, milestone=None)
    created = public.OpportunityCreated(
        opportunity_id=UUID(int=1),
        pipeline_id=PIPELINE,
        customer_id=None,
        source=evil,
        product=None,
        owner_id=None,
        owner_team=evil,
        amount_minor=None,
        currency="CNY",
        expected_close=None,
    )
    defined = public.PipelineDefined(pipeline_id=PIPELINE, pipeline_version=1, name=evil, stages=(stage,))
    now = datetime.now(UTC) - timedelta(hours=1)
    await teller.tell([(defined, now)], [(created, now)])
    for path in ("/console", "/console/funnel?breakdown=source", "/console/funnel?breakdown=team"):
        page = await seen(visitor, path)
        assert page.forbidden == []
    assert page.tables["parts"].rows[0][0] == evil


@pytest.mark.usefixtures("told")
async def test_an_earlier_position_is_kept_in_the_links(visitor: httpx.AsyncClient) -> None:
    page = await seen(visitor, "/console/funnel?as_of_position=50&lang=en")
    assert "These are the figures as they were at an earlier position." in page.text
    assert page.links["Retention"] == "/console/retention?lang=en&as_of_position=50"
    again = page.links["50"]
    assert re.fullmatch(r"/console/funnel\?as_of_position=50&lang=en&as_of_time=[^&]+Z", again)
    assert page.links["Show them as of now"] == "/console/funnel?lang=en"
    page = await seen(visitor, again)
    at = again.partition("&as_of_time=")[2]
    assert page.links["Retention"] == f"/console/retention?lang=en&as_of_position=50&as_of_time={at}"
    assert page.links["50"] == again
    assert page.links["Show them as of now"] == "/console/funnel?lang=en"


@pytest.mark.usefixtures("told")
async def test_the_link_under_the_position_shows_the_same_figures_whatever_is_told_later(
    teller: Teller, visitor: httpx.AsyncClient
) -> None:
    await teller.age(timedelta(days=40))
    before: dict[str, tuple[Html, list[str]]] = {}
    for path in [*PAGES, "/console/funnel?window_days=30"]:
        page = await seen(visitor, path)
        before[page.links[str(await teller.position())]] = page, days(await visitor.get(path))
    newer = public.PipelineDefined(pipeline_id=PIPELINE, pipeline_version=2, name="N", stages=(STAGES[0],))
    await teller.tell([(newer, datetime.now(UTC))])
    for link, (page, period) in before.items():
        again, answer = await seen(visitor, link), await visitor.get(link)
        for name in page.tables.keys() - {"sources"}:
            assert again.tables[name] == page.tables[name], (link, name)
        assert days(answer) == period
        hidden = re.findall(r'type="hidden" name="(\w+)"', answer.text)
        assert hidden == (["as_of_position", "as_of_time"] if period else [])


def days(answer: httpx.Response) -> list[str]:
    """The period that the page's form shows."""
    return re.findall(r'name="(?:from|to)" type="\w+" value="([^"]+)"', answer.text)


@pytest.mark.usefixtures("told")
async def test_columns_are_the_stages_of_the_version_that_was_asked_for(
    teller: Teller, visitor: httpx.AsyncClient, analyst: httpx.AsyncClient
) -> None:
    shorter = public.PipelineDefined(
        pipeline_id=PIPELINE, pipeline_version=2, name="Shorter", stages=(STAGES[0], STAGES[-1])
    )
    await teller.tell([(shorter, datetime.now(UTC))])
    for version, stages in ((1, STAGES), (2, [STAGES[0], STAGES[-1]])):
        query = f"breakdown=owner&pipeline_version={version}"
        table = (await seen(visitor, f"/console/funnel?{query}&lang=en")).tables["parts"]
        named = ["Owner", "Entered", *[stage.name for stage in stages], "Won", "Win rate"]
        assert table.columns == named
        assert {len(row) for row in table.rows} == {len(named)}
        file = (await visitor.get(f"/console/funnel/parts.csv?{query}&lang=en")).content.decode("utf-8-sig")
        rows = list(csv.reader(io.StringIO(file)))
        assert rows[0] == named
        answer = await asked(analyst, "/v1/funnel", breakdown="owner", pipeline_version=version)
        assert [row[:-1] for row in rows[1:]] == [
            [
                row["value"],
                str(row["entered"]),
                *[str(step["n"]) for step in row["steps"]],
                str(row["won"]),
            ]
            for row in answer["rows"]
        ]


@pytest.mark.usefixtures("told")
async def test_by_owner_a_share_is_shown_only_where_one_owner_has_both_numbers(
    visitor: httpx.AsyncClient,
) -> None:
    hint = "Shares need one owner for all steps: choose the owner at the entry or the present one."
    for breakdown in ("owner", "team"):
        page = await seen(visitor, f"/console/funnel?breakdown={breakdown}&lang=en")
        assert {row[-1] for row in page.tables["parts"].rows} == {"–"}
        assert hint in " ".join(page.text)
        assert "attribution" in page.controls
        page = await seen(visitor, f"/console/funnel?breakdown={breakdown}&attribution=entry&lang=en")
        assert "–" not in {row[-1] for row in page.tables["parts"].rows}
        assert hint not in " ".join(page.text)
    page = await seen(visitor, "/console/funnel?breakdown=source&lang=en")
    assert "–" not in {row[-1] for row in page.tables["parts"].rows}
    assert "attribution" not in page.controls


@pytest.mark.usefixtures("told")
@pytest.mark.parametrize(
    ("path", "status", "said"),
    [
        ("/console/funnel?from=soon", 422, "from"),
        ("/console/funnel?from=2026-05-01&to=2026-04-01", 422, "from"),
        ("/console/retention?mode=sometimes", 422, "mode"),
        ("/console?zone=Mars", 422, "zone"),
        ("/console/service?as_of_position=999999999", 422, "as_of_position"),
        (f"/console/funnel?pipeline_id={UUID(int=5)}", 404, "There is no such pipeline."),
        ("/console/nowhere", 404, "There is no such page."),
        ("/console/static/sessions.py", 404, "There is no such file."),
    ],
)
async def test_what_goes_wrong_is_told_in_a_page(
    visitor: httpx.AsyncClient, path: str, status: int, said: str
) -> None:
    assert said in (await seen(visitor, path, status)).text


async def test_styles_may_be_kept_for_ever_because_their_address_changes(app: FastAPI) -> None:
    async with api(app) as client:
        page = (await client.get("/console")).text
        href = re.findall(r'href="(/console/static/console\.css\?v=[0-9a-f]{12})"', page)[0]
        answer = await client.get(href)
    assert answer.headers["content-type"] == "text/css; charset=utf-8"
    assert "immutable" in answer.headers["Cache-Control"]


def test_everything_that_is_said_is_said_in_chinese_too() -> None:
    folder = Path(analytics.console.__file__).parent
    templates = "".join(path.read_text() for path in (folder / "templates").glob("*.html"))
    said = set(re.findall(r'\bt\("([^"]+)"', templates)) - {"mode "}
    for path in (folder / "pages").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
                name = ast.unparse(node.func)
                if name == "t" or name.endswith(".t"):
                    said.add(str(node.args[0].value))
    assert said - CHINESE.keys() == set()
    for english, chinese in CHINESE.items():
        assert set(re.findall(r"{\w+}", english)) >= set(re.findall(r"{\w+}", chinese)), english
    assert text_in("zh")("of {n} customers", n=3) == "共 3 位客户"


def shown(rate: float | None) -> str:
    return "–" if rate is None else f"{rate * 100:.1f}%"


def lines(money: list[dict[str, str]]) -> str:
    amounts = [f"{m['currency']} {float(m['amount']):,.2f}" for m in money]
    return "\n".join(amounts) or "–"
