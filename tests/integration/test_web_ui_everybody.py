"""The web UI for everybody: screen readers, phones, dark rooms, two languages, two windows; operators and attackers."""

from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from ocrqueue.models.nightly import run_night
from tests.support import numbered
from tests.support.browser import chromium, opened
from tests.support.harness import NUMBERED, Stack, eventually, running
from tests.support.hostile import XSS
from tests.support.models import Directory
from tests.support.thorough import thorough_but
from tests.support.web import Web, start_web

pytestmark = pytest.mark.needs("chromium")

PHONE = {"viewport": {"width": 360, "height": 740}, "is_mobile": True, "has_touch": True}


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    with running(OCR_CACHE_MAX_GB="1") as stack:
        stack.start_documents(children=1)
        stack.start_worker(engines=f"{NUMBERED},hostile=tests.support.hostile:Hostile")
        yield stack


@pytest.fixture(scope="module")
def web(stack: Stack) -> Web:
    return start_web(stack)


@pytest.fixture(scope="module")
def job(stack: Stack) -> str:
    """A job of forty pages, of which one failed."""
    job = stack.client().submit(numbered.document(40, {5: numbered.RAISE}), engine="numbered", name="book.tiff")
    job.wait(60)
    return job.id


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


def paths(job: str) -> list[str]:
    return ["/", f"/jobs/{job}", f"/jobs/{job}?page=5", "/models", "/login", "/jobs/none"]


def serious(page: Page) -> list[str]:
    """What axe reports as serious or critical."""
    found: list[dict[str, Any]] = Axe().run(page).response["violations"]
    return [
        f"{page.url} {one['id']}: {node['html'][:120]}"
        for one in found
        if one["impact"] in ("serious", "critical")
        for node in one["nodes"]
    ]


@pytest.mark.parametrize(
    "options", thorough_but(1, [{}, {"color_scheme": "dark"}, PHONE]), ids=["light", "dark", "phone"]
)
def test_axe_reports_nothing_serious(web: Web, job: str, browser: Browser, options: dict[str, Any]) -> None:
    with opened(browser, bypass_csp=True, **options) as (_, page, complaints):
        for path in paths(job):
            page.goto(web.url + path)
            assert serious(page) == []
        assert complaints.found == []


_RECTS = """all => all.map(one => one.getBoundingClientRect())
    .map(({left, top, right, bottom}) => [left, top, right, bottom])"""


@pytest.mark.parametrize("width", thorough_but(1, [360, 800, 1280]))
def test_options_stand_beside_each_other(web: Web, job: str, browser: Browser, width: int) -> None:
    assert job
    with opened(browser, viewport={"width": width, "height": 900}) as (_, page, _complaints):
        page.goto(web.url)
        page.locator("#drop summary").click()
        fields: list[list[float]] = page.locator(".fields :is(input, select)").evaluate_all(_RECTS)
        ((left, _, right, bottom),) = page.locator("#drop").evaluate_all(_RECTS)
        assert len(fields) > 5
        assert all(left <= field[0] and field[2] <= right and field[3] <= bottom for field in fields)
        pairs = combinations(fields, 2)
        meet = [(a, b) for a, b in pairs if a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]]
        assert meet == []


@pytest.mark.thorough
def test_the_menu_of_downloads_closes(web: Web, job: str, browser: Browser) -> None:
    with opened(browser) as (_, page, complaints):
        page.goto(f"{web.url}/jobs/{job}")
        menu = page.locator("details.menu")
        for close in (lambda: page.keyboard.press("Escape"), lambda: page.locator("h1").click()):
            menu.locator("summary").click()
            expect(menu).to_have_attribute("open", "")
            close()
            expect(menu).not_to_have_attribute("open", "")
        assert complaints.found == []


@pytest.mark.thorough
def test_nothing_is_wider_than_a_phone(web: Web, job: str, browser: Browser) -> None:
    with opened(browser, **PHONE) as (_, page, _complaints):
        for path in paths(job):
            page.goto(web.url + path)
            assert page.evaluate("document.documentElement.scrollWidth") <= 360, path


def test_every_page_is_there_in_german(web: Web, job: str, browser: Browser) -> None:
    with opened(browser, locale="de-DE") as (_, page, _complaints):
        for path, says in zip(paths(job), ("Aufträge", "Seiten gelesen", "Seite 5", "Modellverzeichnis"), strict=False):
            page.goto(web.url + path)
            assert page.locator("html").get_attribute("lang") == "de"
            expect(page.locator("main")).to_contain_text(says)


@pytest.mark.thorough
def test_the_keyboard_reaches_everything(web: Web, job: str, browser: Browser) -> None:
    with opened(browser, locale="en-GB") as (_, page, _complaints):
        page.goto(web.url)
        page.keyboard.press("Tab")
        expect(page.locator(":focus")).to_have_text("Skip to the content")
        seen = set()
        for _ in range(30):
            page.keyboard.press("Tab")
            seen.add(page.evaluate("document.activeElement.id || document.activeElement.textContent.trim()"))
        assert {"files", "name", "state", "book.tiff"} <= seen


@pytest.mark.thorough
def test_two_windows_show_the_same_job_while_it_is_read(web: Web, browser: Browser) -> None:
    slow = numbered.document(6, dict.fromkeys(range(1, 7), numbered.SLOW), salt=3)
    job = web.stack.client().submit(slow, engine="numbered", name="shared.tiff")
    with opened(browser) as (_, one, _c1), opened(browser) as (_, other, _c2):
        for page in (one, other):
            page.goto(f"{web.url}/jobs/{job.id}")
        for page in (one, other):
            expect(page.locator("#cells .k")).to_have_count(6, timeout=60_000)
            expect(page.locator("#job-head .state")).to_have_class("state done", timeout=60_000)


@pytest.mark.thorough
def test_models_are_listed_and_freed(web: Web, job: str, browser: Browser) -> None:
    data = web.stack.folder / "data"
    directory = Directory(data / "models")
    directory.folder("old_GLM")
    run_night(directory.store(prune="report"), (), data / "reports")
    with opened(browser, locale="en-GB") as (_, page, complaints):
        page.goto(f"{web.url}/models")
        expect(page.locator("#children tbody tr")).to_have_count(2)  # one reads, one opens documents
        row = page.locator("#models tbody tr", has_text="old_GLM")
        expect(row).to_contain_text("The next night selects it")
        expect(page.locator("#models time")).to_contain_text("UTC")
        page.locator("#unload").click()
        expect(page.locator("#unloaded")).to_contain_text("2 processes freed", timeout=60_000)
        assert complaints.found == []


@pytest.mark.thorough
def test_one_sentence_says_why_nothing_moves(browser: Browser) -> None:
    with running() as stack:
        web = start_web(stack)
        with opened(browser, locale="en-GB") as (_, page, _complaints):
            page.goto(web.url)
            expect(page.locator("#problem")).to_contain_text("No worker is running")
            stack.start_documents(children=1)
            expect(page.locator("#problem")).to_contain_text("No worker reads pages", timeout=60_000)


@pytest.mark.thorough
def test_a_job_of_two_thousand_pages_opens(web: Web, browser: Browser) -> None:
    pages = numbered.document(2000, {1: numbered.SLOW}, salt=1)
    job = web.stack.client().submit(pages, engine="numbered", name="long.tiff")
    eventually(lambda: job.status().pages == 2000, 60)
    with opened(browser, locale="en-GB") as (_, page, complaints):
        page.goto(f"{web.url}/jobs/{job.id}?page=1999")
        expect(page.locator("#cells .cell")).to_have_count(2000)
        assert page.locator("#cells [tabindex='0']").count() == 1  # one stop for the key Tab, not 2000
        page.locator("#cells [aria-current]").focus()
        page.keyboard.press("ArrowRight")
        expect(page.locator("#preview")).to_contain_text("Page 2000")
        page.keyboard.press("Enter")
        expect(page.locator("#viewer h2")).to_have_text("Page 2000")
        page.locator("#goto-page").fill("1")
        page.keyboard.press("Enter")
        expect(page.locator("#viewer h2")).to_have_text("Page 1")
        page.locator("[data-do=cancel]").click()
        expect(page.locator("#job-head .state")).to_have_text("cancelled", timeout=60_000)
        assert complaints.found == []


def test_nothing_that_an_attacker_writes_becomes_markup(web: Web, browser: Browser, tmp_path: Path) -> None:
    """Scripts as names of jobs and models, in lines, words, Markdown, warnings and errors; searched and downloaded."""
    pages = 2 * len(XSS)
    made = "script:not([src], #texts), iframe, #viewer a[href^='javascript'], [onerror], [onload], [src=x]"
    first, *others = [
        web.stack.client().submit(numbered.document(pages, salt=50 + n), engine="hostile", name=name)
        for n, name in enumerate(XSS)
    ]
    first.wait(60)
    with opened(browser, locale="de-DE") as (_, page, complaints):
        for number in range(1, pages + 1):
            text = XSS[(number - 1) % len(XSS)]
            page.goto(f"{web.url}/jobs/{first.id}?page={number}")
            if number <= len(XSS):
                expect(page.locator("#tab-text")).to_have_text(text)
                expect(page.locator("#viewer .warn")).to_be_visible()
                page.locator("[data-tab=markdown]").click()
                page.locator("[data-tab=json]").click()
                expect(page.locator("#tab-json")).to_contain_text('"text"')
                page.locator("#search input").fill(text)
                expect(page.locator("#hits mark").first).to_have_text(text)
            else:
                expect(page.locator("#viewer .bad")).to_have_attribute("title", text)
            assert page.locator(made).count() == 0, text
        for job, name in zip((first, *others), XSS, strict=True):
            job.wait(60)
            page.goto(f"{web.url}/jobs/{job.id}")
            expect(page.locator("h1")).to_have_text(name)
            assert page.locator(made).count() == 0, name
            page.goto(f"{web.url}/?name={name}")
            assert page.locator("#name").input_value() == name
        for path in ("/", "/models", f"/login?next={XSS[1]}"):
            page.goto(web.url + path)
            assert page.locator(made).count() == 0, path
        (tmp_path / "result.html").write_text(first.result("html"))  # no Content-Security-Policy protects it
        page.goto(f"file://{tmp_path}/result.html")
        expect(page.locator("body")).to_contain_text(XSS[-1])
        assert page.locator(made).count() == 0
        assert complaints.found == []
