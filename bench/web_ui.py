"""The web UI in Chromium: opening a job of many pages, its memory while paging, and the delay until a page is shown.

`python -m bench.web_ui [--pages N] [--clicks N] [--turns N] [--browsers N] [--read N] [--out FILE]`. Browser, server
and workers share the machine. Of the browsers that follow a job one is Chromium; the others are HTTP clients that do
what its scripts do: they hold the stream of events and fetch the head of the page every two seconds.
"""

import asyncio
import json
import time
from argparse import ArgumentParser
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from statistics import median
from typing import Any

import httpx2
import psutil
from playwright.sync_api import Browser, CDPSession, Page

from bench.http import percentile
from bench.support import raw, table
from bench.support.stack import machine, private_stack
from ocrqueue.client import Job
from tests.support import numbered
from tests.support.browser import chromium, opened
from tests.support.harness import Stack, eventually
from tests.support.uploads import JOBS
from tests.support.web import Web, start_web

MB = 1 << 20
LOOK_SECONDS = 2.0  # between two looks at the head of the page of a running job
# a job is usable when the text of a page and the cells of all pages are there, and the scripts have begun to listen
USABLE = """count => document.querySelectorAll('#cells .cell[data-state]').length === count
    && document.querySelector('#tab-text').textContent.includes('page')
    && document.querySelector('#cells [tabindex="0"]') !== null"""
LINK = "path => document.body.append(Object.assign(document.createElement('a'), {id: 'plain', href: path}))"
STATIC = "() => location.pathname.endsWith('.css') && document.readyState === 'complete'"
ENGINES = "numbered=tests.support.engines:Numbered,slow=tests.support.engines:Slow"
# notes when a cell gets the colour of a page that was read
NOTE = """() => { window.shown = {}; new MutationObserver(changes => { for (const {target} of changes) {
    if ('kp'.includes(target.dataset.state)) window.shown[target.dataset.number] ??= Date.now() / 1000; } }).observe(
    document.getElementById('cells'), {subtree: true, attributes: true, attributeFilter: ['data-state']}); }"""


def read_all(stack: Stack, pages: int, **options: Any) -> Job:
    """A job of so many pages that have been read."""
    job = stack.client().submit(numbered.document(pages), engine="numbered", name="long.tiff", **options)
    job.wait(3600)
    return job


def clicks(page: Page, web: Web, job: Job, pages: int, times: int) -> tuple[list[float], list[float]]:
    """Seconds from a click on a job until it is usable, and from a click until a static file of the server is there."""
    opening, static = [], []
    for _ in range(times):
        page.goto(web.url)
        link = page.locator(f"#jobs a[href$='{job.id}']")
        link.wait_for()
        started = time.monotonic()
        link.click(no_wait_after=True)
        page.wait_for_function(USABLE, arg=pages, polling=10)
        opening.append(time.monotonic() - started)
        style = page.locator("link[rel=stylesheet]").get_attribute("href")
        page.evaluate(LINK, f"{web.url}{style}?{time.monotonic()}")
        started = time.monotonic()
        page.locator("#plain").dispatch_event("click")
        page.wait_for_function(STATIC, polling=10)
        static.append(time.monotonic() - started)
    return opening, static


def first_screen(browser: Browser, url: str) -> dict[str, tuple[int, int]]:
    """Requests and bytes, headers included, of a page with an empty cache: without images, and the images."""
    with opened(browser) as (context, page, _):
        session, found = context.new_cdp_session(page), {"page": (0, 0), "images": (0, 0)}
        session.send("Network.enable")
        kinds: dict[str, str] = {}
        session.on("Network.responseReceived", lambda event: kinds.update({event["requestId"]: event["type"]}))

        def count(event: dict[str, Any]) -> None:
            kind = kinds.get(event["requestId"], "")
            part = "images" if kind == "Image" else "page"
            if kind != "EventSource":
                found[part] = found[part][0] + 1, found[part][1] + int(event["encodedDataLength"])

        session.on("Network.loadingFinished", count)
        page.goto(url, wait_until="networkidle")
        return found


def memory(session: CDPSession) -> tuple[float, int]:
    """MB of the page's JavaScript and its number of DOM nodes, after garbage was collected."""
    session.send("HeapProfiler.collectGarbage")
    values = {one["name"]: one["value"] for one in session.send("Performance.getMetrics")["metrics"]}
    return values["JSHeapUsedSize"] / MB, int(values["Nodes"])


def resident(program: str = "--type=renderer") -> float:
    """MB of all renderer processes of the browsers that this process has started."""
    total = 0.0
    for child in psutil.Process().children(recursive=True):
        with suppress(psutil.Error):
            if program in child.cmdline():
                total += child.memory_info().rss / MB
    return total


def paging(browser: Browser, web: Web, job: Job, turns: int) -> list[tuple[str, float, int, float]]:
    """Memory while one turns the pages of a job one after the other: MB of scripts, DOM nodes, MB of the process."""
    rows = []
    with opened(browser) as (context, page, _):
        session = context.new_cdp_session(page)
        session.send("Performance.enable")
        page.goto(f"{web.url}/jobs/{job.id}?page=1")
        page.wait_for_function("document.querySelector('#paper img')?.complete")
        for turn in range(turns + 1):
            if turn:
                page.locator("#next").click(no_wait_after=True)
                page.wait_for_function("turn => document.querySelector('#goto-page')?.value == turn + 1", arg=turn)
            if turn % max(1, turns // 4) == 0:
                rows.append((f"after {turn} pages", *memory(session), resident()))
    return rows


async def _browser(http: httpx2.AsyncClient, job: str, ends: asyncio.Event) -> dict[int, float]:
    """Do what a browser does that shows a job until its end; returns when each page came, by its number."""

    async def look() -> None:
        while not ends.is_set():
            await asyncio.sleep(LOOK_SECONDS)
            (await http.get(f"/jobs/{job}/head")).raise_for_status()

    came: dict[int, float] = {}
    looking = asyncio.create_task(look())
    async with http.stream("GET", f"{JOBS}/{job}/events") as answer:
        kind = ""
        async for line in answer.aiter_lines():
            if line.startswith("event: "):
                kind = line.removeprefix("event: ")
            elif kind == "page" and line.startswith("data: "):
                came[json.loads(line.removeprefix("data: "))["page"]] = time.time()
    ends.set()
    await looking
    return came


async def follow(web: Web, job: str, count: int) -> list[dict[int, float]]:
    """When each of so many clients got each page of a job."""
    limits, ends = httpx2.Limits(max_connections=None), asyncio.Event()
    async with httpx2.AsyncClient(base_url=web.url, timeout=600, limits=limits, trust_env=False) as http:
        return await asyncio.gather(*(_browser(http, job, ends) for _ in range(count)))


def stored(stack: Stack, job: Job) -> dict[int, float]:
    """When each page of a job was in the spool, by its number."""
    pages = stack.folder / "data" / "spool" / "jobs" / job.id / "pages"
    return {int(file.name.split(".")[0].split("-")[-1]): file.stat().st_mtime for file in pages.iterdir()}


def watching(stack: Stack, browser: Browser, web: Web, pages: int, browsers: int) -> dict[str, Any]:
    """Delays in seconds from a page in the spool until it is shown, and the CPU of the server meanwhile."""
    job = stack.client().submit(numbered.document(pages, salt=7), engine="slow", name="watched.tiff")
    eventually(lambda: job.status().pages, 60)
    with opened(browser) as (_, page, _complaints), ThreadPoolExecutor(1) as pool:
        page.goto(f"{web.url}/jobs/{job.id}")
        page.evaluate(NOTE)
        started, before = time.monotonic(), web.process.cpu_times()
        others = pool.submit(lambda: asyncio.run(follow(web, job.id, browsers - 1)))
        while not others.done():
            page.wait_for_timeout(500)
        seconds, after = time.monotonic() - started, web.process.cpu_times()
        shown = {int(number): at for number, at in page.evaluate("window.shown").items()}
    read = stored(stack, job)
    return {
        "chromium": sorted(at - read[number] for number, at in shown.items()),
        "clients": sorted(at - read[number] for came in others.result() for number, at in came.items()),
        "seconds": seconds,
        "cpu": (after.user + after.system - before.user - before.system) / seconds,
        "pages": pages,
    }


def show(found: dict[str, Any], pages: int, browsers: int) -> None:
    """Print what was found."""
    opening, static = median(found["opening"]), median(found["static"])
    print(f"from a click on a job of {pages:,} pages until it is usable, median of {len(found['opening'])}:")
    print(
        f"  {1000 * opening:.0f} ms; a static file of the server: {1000 * static:.0f} ms; {opening / static:.1f} times"
    )
    print("\nfirst screen, nothing in the browser's cache:")
    for name, parts in found["screens"].items():
        (requests, size), (images, more) = parts["page"], parts["images"]
        print(f"  {name}: {size / 1000:.1f} KB in {requests} requests, and {more / 1000:.1f} KB in {images} images")
    print("\nmemory of the browser, paging:")
    table.show(("", "scripts, MB", "DOM nodes", "processes, MB"), found["memory"])
    watched = found["watching"]
    print(f"\n{browsers} browsers, {watched['pages']} pages in {watched['seconds']:.0f} s, from the spool until shown:")
    for who in ("chromium", "clients"):
        late = [1000 * one for one in watched[who]]
        print(f"  {who}: p50 {percentile(late, 0.5):.0f} ms, p99 {percentile(late, 0.99):.0f} ms ({len(late):,} pages)")
    print(f"CPU of the server meanwhile: {watched['cpu']:.2f} of a core; before, with one browser: {found['idle']:.2f}")


def main() -> None:
    """Measure and print."""
    parser = ArgumentParser(prog="python -m bench.web_ui", description="The web UI in Chromium.")
    parser.add_argument("--pages", type=int, default=2000, help="of the long job (default 2000)")
    parser.add_argument("--clicks", type=int, default=10, help="times that it is opened (default 10)")
    parser.add_argument("--turns", type=int, default=2000, help="pages that are turned (default 2000)")
    parser.add_argument("--browsers", type=int, default=50, help="that follow a job (default 50)")
    parser.add_argument("--read", type=int, default=200, help="pages of that job (default 200)")
    raw.add_option(parser)
    given = parser.parse_args()
    found: dict[str, Any] = {}
    with private_stack() as stack, chromium() as browser:
        stack.start_documents(children=1)
        stack.start_worker(engines=ENGINES, children=2)
        web = start_web(stack)
        job = read_all(stack, given.pages)
        with opened(browser) as (_, page, _complaints):
            found["opening"], found["static"] = clicks(page, web, job, given.pages, given.clicks)
        urls = {"queue": f"{web.url}/", f"job of {given.pages:,} pages": f"{web.url}/jobs/{job.id}?page=1"}
        found["screens"] = {name: first_screen(browser, url) for name, url in urls.items()}
        found["memory"] = paging(browser, web, job, min(given.turns, given.pages - 1))
        found["idle"] = watching(stack, browser, web, 20, 1)["cpu"]
        found["watching"] = watching(stack, browser, web, given.read, given.browsers)
    show(found, given.pages, given.browsers)
    print(f"\n{machine()}")
    raw.write(given.out, found)


if __name__ == "__main__":
    main()
