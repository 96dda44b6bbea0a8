"""The console in a real browser: its numbers, its looks and its door, with and without JavaScript."""

import asyncio
import shutil
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from fastapi import FastAPI
from kernel.testing.fixtures import api
from kernel.testing.servers import leave_out
from playwright.async_api import Browser, BrowserContext, Page, Request, async_playwright

from tests.analytics.showcase import PIPELINE, showcase
from tests.analytics.telling import Teller
from tests.analytics.test_api import asked
from tests.analytics.test_console import shown

pytestmark = pytest.mark.browser

FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
).split()
PATHS = [
    "/console",
    "/console/funnel?breakdown=team",
    "/console/retention",
    "/console/service?breakdown=owner",
]
WIDTHS = [1280, 420]

# Text against what is painted behind it, as WCAG 2 measures; each entry is a text that is too faint.
FAINT = """() => {
  const parse = (text) => {
    const numbers = text.match(/[\\d.]+/g).map(Number);
    const [r, g, b, a = 1] = numbers;
    return text.startsWith("color(") ? [r, g, b, a] : [r / 255, g / 255, b / 255, a];
  };
  const light = ([r, g, b]) => {
    const linear = [r, g, b].map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2];
  };
  const behind = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const colour = parse(getComputedStyle(at).backgroundColor);
      if (colour[3] > 0.99) return colour;
    }
    return [1, 1, 1, 1];
  };
  const found = [];
  for (const element of document.querySelectorAll("body *")) {
    const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
    if (!own || element.closest("svg, option") || !element.checkVisibility()) continue;
    const [one, other] = [light(parse(getComputedStyle(element).color)), light(behind(element))];
    const ratio = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
    if (ratio < 4.5) found.push(`${element.tagName}.${element.className} ${ratio.toFixed(2)}`);
  }
  return found;
}"""
CELLS = """(id) => [...document.querySelectorAll(`#${id} tbody tr`)].map(
  (row) => [...row.cells].map((cell) => cell.textContent))"""


@dataclass
class Door:
    """A running console: its address, and links that open it."""

    base: str
    analyst: httpx.AsyncClient
    complaints: list[str] = field(default_factory=list)

    async def link(self) -> str:
        answer = await self.analyst.post("/v1/console-links")
        return f"{self.base}{answer.json()['url']}"

    def watch(self, page: Page) -> None:
        """Whatever the browser refuses or cannot load is a failure of the test."""
        page.on("console", lambda message: self.complaints.append(message.text))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("requestfailed", self._failed)
        page.on("request", lambda r: None if r.url.startswith(self.base) else self.complaints.append(r.url))

    def _failed(self, request: Request) -> None:
        # A page that is left before its icon has come asks for it no more.
        if request.failure != "net::ERR_ABORTED":
            self.complaints.append(f"{request.url}: {request.failure}")


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    program = shutil.which("chromium")
    if program is None:
        leave_out("Chromium is not installed", "chromium")
    async with async_playwright() as playwright:
        running = await playwright.chromium.launch(executable_path=program, args=FLAGS)
        yield running
        await running.close()


@pytest.fixture
async def door(app: FastAPI, teller: Teller) -> AsyncIterator[Door]:
    await teller.hear(teller.records(showcase(datetime.now(UTC), deals=200)))
    for source in ("contacts", "opportunities", "service-desk"):
        await teller.complete(source, 10**6)
    async with teller.database.driver() as connection:
        await connection.execute("UPDATE checkpoints SET complete_at = clock_timestamp()")
    server = uvicorn.Server(uvicorn.Config(app, log_level="error", lifespan="off", ws="none"))
    # Whoever comes before the server is up waits in this socket's queue.
    with socket.create_server(("127.0.0.1", 0)) as listening:
        serving = asyncio.create_task(server.serve([listening]))
        async with api(app, "analyst") as client:
            yield Door(f"http://127.0.0.1:{listening.getsockname()[1]}", client)
        server.should_exit = True
        await serving


@asynccontextmanager
async def inside(browser: Browser, door: Door, **options: Any) -> AsyncIterator[tuple[BrowserContext, Page]]:
    context = await browser.new_context(**options)
    page = await context.new_page()
    door.watch(page)
    await page.goto(await door.link())
    await page.wait_for_url("**/console")
    yield context, page
    await context.close()
    assert door.complaints == []


async def test_a_link_in_a_mail_opens_the_console_once(browser: Browser, door: Door) -> None:
    """The click comes from another site, from where a strict cookie does not travel with a redirection."""
    link = await door.link()
    context = await browser.new_context()
    page = await context.new_page()
    await page.set_content(f'<a href="{link}">the figures</a>')
    await page.click("a")
    await page.wait_for_url("**/console")
    assert await page.inner_text("h1") == "Overview"
    (cookie,) = await context.cookies()
    assert (cookie["httpOnly"], cookie["sameSite"], cookie["path"]) == (True, "Strict", "/console")
    await page.click("text=Leave")
    assert await page.inner_text("h1") == "Goodbye"
    answer = await page.goto(link)
    assert answer is not None
    assert answer.status == 401
    await context.close()


@pytest.mark.parametrize("scripts", [True, False])
async def test_pages_work_with_and_without_scripts(browser: Browser, door: Door, scripts: bool) -> None:
    async with inside(browser, door, java_script_enabled=scripts) as (_, page):
        await page.click("nav >> text=Funnel")
        await page.select_option("#breakdown", "team")
        await page.fill("#from", "2020-01-01")
        await page.click("button:has-text('Show')")
        query = {"pipeline_id": str(PIPELINE), "from": "2020-01-01"}
        parts = (await asked(door.analyst, "/v1/funnel", breakdown="team", **query))["rows"]
        rows = await page.locator("#parts tbody tr").all_inner_texts()
        assert [row.split() for row in rows] == [
            [
                row["value"],
                str(row["entered"]),
                *[str(step["n"]) for step in row["steps"]],
                str(row["won"]),
                shown(row["win_rate"]),
            ]
            for row in parts
        ]
        await page.click("text=中文")
        assert await page.get_attribute("html", "lang") == "zh"
        assert await page.input_value("#breakdown") == "team"


async def test_the_bars_are_as_long_as_the_figures_say(browser: Browser, door: Door) -> None:
    async with inside(browser, door) as (_, page):
        await page.goto(f"{door.base}/console/funnel")
        steps = (await asked(door.analyst, "/v1/funnel"))["rows"][0]["steps"]
        assert await page.locator(".bars .n").all_inner_texts() == [str(step["n"]) for step in steps]
        for step, bar in zip(steps, await page.locator(".bars svg").all(), strict=True):
            track, fill = bar.locator(".track"), bar.locator(".fill")
            whole, part = await track.bounding_box(), await fill.bounding_box()
            assert whole is not None
            length = part["width"] if part else 0.0
            assert length / whole["width"] == pytest.approx(step["from_entry"], abs=0.002)
        marks = await page.locator(".bars .mark").count()
        assert marks == sum(step["benchmark"] is not None for step in steps) == 4


async def test_the_heat_map_shows_what_the_api_answers(browser: Browser, door: Door) -> None:
    async with inside(browser, door) as (_, page):
        await page.goto(f"{door.base}/console/retention")
        cohorts = (await asked(door.analyst, "/v1/retention"))["cohorts"]
        rows = await page.evaluate(CELLS, "cohorts")
        assert [[cell for cell in row if cell] for row in rows] == [
            [c["month"], str(c["size"]), *[shown(month["on_rate"]) for month in c["months"]]] for c in cohorts
        ]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS)
async def test_pages_are_readable_at_every_width_by_day_and_by_night(
    browser: Browser, door: Door, tmp_path: Path, scheme: Any, width: int
) -> None:
    size: Any = {"width": width, "height": 900}
    async with inside(browser, door, color_scheme=scheme, viewport=size) as (_, page):
        for number, path in enumerate(PATHS):
            await page.goto(door.base + path)
            assert await page.evaluate(FAINT) == []
            assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
            shot = tmp_path / f"{number}.png"
            await page.screenshot(path=shot, full_page=True)
            assert shot.stat().st_size > 20_000
        await page.evaluate(
            """() => { const paper = getComputedStyle(document.body).backgroundColor;
            document.querySelector("h1").style.color = `color-mix(in srgb, ${paper}, gray)` }"""
        )
        assert len(await page.evaluate(FAINT)) == 1


async def test_a_printed_page_has_no_buttons(browser: Browser, door: Door) -> None:
    async with inside(browser, door) as (_, page):
        await page.goto(f"{door.base}/console/funnel")
        await page.emulate_media(media="print")
        assert not await page.is_visible("form.choices")
        assert not await page.is_visible("nav")
        assert await page.is_visible("#steps")


async def test_a_script_that_gets_into_a_page_does_not_run(browser: Browser, door: Door) -> None:
    """The policy itself is tried: something that our own templates would never let in is put in here."""
    context = await browser.new_context()
    page = await context.new_page()
    await page.goto(await door.link())
    await page.wait_for_url("**/console")
    ran = await page.evaluate(
        """() => { const script = document.createElement("script"); script.textContent = "window.ran = 1";
        document.body.append(script); return window.ran }"""
    )
    assert ran is None
    await context.close()
