"""The web UI in a real browser, before a real stack: what people see, click and type."""

import json
import re
from collections.abc import Iterator
from contextlib import closing, suppress
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path
from threading import Thread

import lxml.etree
import lxml.html
import pypdfium2
import pytest
from PIL import Image, ImageDraw, ImageFont
from playwright.sync_api import Browser, Page, Route, expect

from ocrqueue.formats import FORMATS
from tests.support import numbered
from tests.support.browser import chromium, opened
from tests.support.harness import PROJECT, Stack, running
from tests.support.thorough import thorough_but
from tests.support.web import Web, new_key, start_web

pytestmark = pytest.mark.needs("chromium")

SCAN = PROJECT / "tests" / "data" / "scan.pdf"


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    with running(OCR_CACHE_MAX_GB="1") as stack:
        stack.start_documents(children=1)
        stack.start_worker(engines="rapidocr,numbered=tests.support.engines:Numbered")
        yield stack


@pytest.fixture(scope="module")
def web(stack: Stack) -> Web:
    return start_web(stack)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    with opened(browser, locale="en-GB") as (_, page, complaints):
        yield page
        assert complaints.found == []


def submit(stack: Stack, content: bytes, **options: object) -> str:
    """Submit a document, and return the job's id when it has ended."""
    job = stack.client().submit(content, **options)  # type: ignore[arg-type]
    job.wait(60)
    return job.id


def test_a_dropped_scan_is_read_while_one_looks(web: Web, page: Page) -> None:
    page.goto(web.url)
    page.locator("#files").set_input_files(SCAN)
    link = page.locator("#uploads a")
    expect(link).to_have_text("scan.pdf")
    link.click()
    expect(page.locator("#job-head .state")).to_have_text("done", timeout=60_000)
    expect(page.locator("#cells .k")).to_have_count(4)
    expect(page.locator("#job-facts")).to_contain_text(re.compile(r"Quality \d\d %"))
    expect(page.locator("#tab-text")).to_contain_text("Alice")


@pytest.mark.thorough
def test_a_file_is_dropped_anywhere_on_the_page(web: Web, page: Page) -> None:
    page.goto(web.url)
    transfer = page.evaluate_handle(
        """bytes => {
            const transfer = new DataTransfer();
            transfer.items.add(new File([new Uint8Array(bytes)], "dropped.tiff"));
            return transfer;
        }""",
        list(numbered.document(1, salt=31)),
    )
    for kind in ("dragover", "drop"):
        page.dispatch_event("#jobs", kind, {"dataTransfer": transfer})
    expect(page.locator("#uploads a")).to_have_text("dropped.tiff")


def test_the_image_of_a_page_lies_under_the_outlines_of_its_lines(web: Web, page: Page) -> None:
    job = submit(web.stack, SCAN.read_bytes(), name="scan.pdf")
    page.goto(f"{web.url}/jobs/{job}?page=2")
    page.wait_for_function("document.querySelector('#paper img').naturalWidth > 0", timeout=60_000)
    image, outlines = page.locator("#paper img").bounding_box(), page.locator("#paper svg").bounding_box()
    assert image
    assert outlines
    assert [round(image[side]) for side in image] == [round(outlines[side]) for side in image]


def test_words_are_found_on_every_page_and_their_line_is_marked(web: Web, page: Page) -> None:
    job = submit(web.stack, SCAN.read_bytes(), name="scan.pdf")
    page.goto(f"{web.url}/jobs/{job}")
    page.locator("#words").fill("rabbit-hole")
    hit = page.locator("#hits a").first
    number = hit.locator("b").inner_text()
    hit.click()
    expect(page).to_have_url(re.compile(rf"page={number}$"))
    marked = page.locator("#tab-text .marked")
    expect(marked).to_contain_text(re.compile("rabbit-hole", re.IGNORECASE))
    line = marked.get_attribute("data-line")
    expect(page.locator(f"#paper polygon[data-line='{line}']:not(.low)")).to_have_class(re.compile("marked"))


@pytest.mark.thorough
def test_pointing_at_a_line_marks_it_in_image_and_text(web: Web, page: Page) -> None:
    job = submit(web.stack, SCAN.read_bytes(), name="scan.pdf")
    page.goto(f"{web.url}/jobs/{job}?page=2")
    page.locator("#tab-text [data-line='3']").hover()
    # A line of which the engine doubts words has marks for these, too.
    expect(page.locator("#paper polygon.marked:not(.low)")).to_have_attribute("data-line", "3")
    expect(page.locator("#paper polygon.marked:not([data-line='3'])")).to_have_count(0)


@pytest.mark.thorough
def test_the_keyboard_turns_pages_and_zooms(web: Web, page: Page) -> None:
    job = submit(web.stack, SCAN.read_bytes(), name="scan.pdf")
    page.goto(f"{web.url}/jobs/{job}?page=1")
    page.keyboard.press("ArrowRight")
    expect(page.locator("#viewer h2")).to_have_text("Page 2")
    before = page.locator("#paper").bounding_box()
    page.keyboard.press("+")
    after = page.locator("#paper").bounding_box()
    assert before
    assert after
    assert after["width"] > 1.2 * before["width"]
    page.keyboard.press("ArrowLeft")
    expect(page.locator("#viewer h2")).to_have_text("Page 1")
    page.go_back()
    expect(page.locator("#viewer h2")).to_have_text("Page 2")


def test_failed_pages_are_shown_and_read_again(web: Web, page: Page) -> None:
    job = submit(web.stack, numbered.document(3, {2: numbered.RAISE}, salt=7), engine="numbered", name="three.tiff")
    page.goto(f"{web.url}/jobs/{job}")
    page.locator("#cells .f").click()
    expect(page.locator("#viewer .notice")).to_contain_text("engine_error")
    page.locator("[data-do=retry]").click()
    expect(page.locator("#job-facts")).to_contain_text("round 2", timeout=60_000)
    expect(page.locator("[data-do=retry]")).to_be_visible(timeout=60_000)


def test_a_page_whose_fault_is_its_own_is_counted_and_no_retry_is_offered(web: Web, page: Page) -> None:
    job = submit(web.stack, (PROJECT / "tests" / "data" / "bad" / "dct_truncated_in.pdf").read_bytes(), name="torn.pdf")
    page.goto(f"{web.url}/jobs/{job}")
    expect(page.locator("#viewer .notice")).to_have_text("corrupt_file The file, or this page of it, is damaged.")
    expect(page.locator("[data-do=drop]")).to_be_visible()
    expect(page.locator("[data-do=retry]")).to_have_count(0)
    page.goto(web.url)
    expect(page.locator(".figure", has_text="Failed pages").locator("dd")).to_have_text(re.compile(r"^[1-9]\d*$"))


def test_a_page_that_was_read_as_gibberish_is_amber_and_says_what_would_read_it(web: Web, page: Page) -> None:
    picture = Image.new("L", (900, 300), 255)
    line = "\N{CYRILLIC CAPITAL LETTER VE}\N{CYRILLIC SMALL LETTER ES}\N{CYRILLIC SMALL LETTER IE} " * 8
    ImageDraw.Draw(picture).multiline_text((40, 40), f"{line}\n{line}", 0, ImageFont.load_default(28), spacing=24)
    content = BytesIO()
    picture.save(content, "png")
    job = submit(web.stack, content.getvalue(), name="gibberish.png")
    for place in (f"/jobs/{job}", "/?name=gibberish.png"):
        page.goto(web.url + place)
        expect(page.locator(".state")).to_have_class("state done poor")
        expect(page.locator("svg.bar .poor")).to_have_attribute("width", "100.0")
        expect(page.locator("svg.bar .ok")).to_have_attribute("width", "0.0")
    page.goto(f"{web.url}/jobs/{job}")
    expect(page.locator("#viewer .notice")).to_contain_text("tesseract-ocr-rus")
    expect(page.locator("#job-facts")).to_contain_text("rapidocr (pp-ocrv6-small)")
    expect(page.locator("#viewer .about")).to_contain_text("rapidocr (pp-ocrv6-small)")


@pytest.mark.thorough
def test_doubtful_words_are_marked_and_a_key_goes_to_the_next_one(web: Web, page: Page) -> None:
    behaviours = {1: numbered.WARN}
    job = submit(web.stack, numbered.document(2, behaviours, salt=9), engine="numbered", name="doubts.tiff")
    page.goto(f"{web.url}/jobs/{job}?page=1")
    word = page.locator("#tab-text .low")
    expect(word).to_have_text("1")
    expect(word).to_have_attribute("title", "confidence 45 %")
    assert page.locator("#tab-text .line").inner_text() == "page 1"
    page.keyboard.press("n")
    expect(word).to_have_class(re.compile("here"))
    expect(page.locator("#paper polygon.low")).to_have_class(re.compile("here"))
    expect(page.locator("#said")).to_have_text("1: confidence 45 %")
    page.keyboard.press("ArrowRight")
    expect(page.locator("#viewer h2")).to_have_text("Page 2")
    expect(word).to_have_count(0)


@pytest.mark.thorough
def test_an_unknown_address_is_a_page_for_people_and_a_problem_for_programs(web: Web, browser: Browser) -> None:
    with opened(browser, locale="de-DE") as (_, page, complaints):
        for path in ("/nowhere", "/api/v1/nowhere", "/docs/<script>alert(1)</script>"):
            answer = page.goto(web.url + path)
            assert answer is not None
            assert answer.status == 404
            expect(page.locator("#error")).to_have_text("Unter dieser Adresse gibt es nichts.")
        page.locator("main a").click()
        expect(page).to_have_url(f"{web.url}/")
        assert complaints.found == []
    asked = (("/nowhere", "*/*"), ("/api/v1/jobs/0/result", "text/html"), ("/nowhere", "application/json"))
    with web.client() as client:
        for path, accept in asked:
            found = client.get(path, headers={"Accept": accept})
            assert (found.status_code, found.headers["content-type"]) == (404, "application/problem+json"), path


@pytest.mark.thorough
def test_errors_of_a_job_are_shown_in_german(web: Web, browser: Browser) -> None:
    job = submit(web.stack, b"no document", name="kaputt.bin")
    with opened(browser, locale="de-DE") as (_, page, _complaints):
        page.goto(f"{web.url}/jobs/{job}")
        notice = page.locator("#job-facts .notice")
        expect(notice).to_have_text(re.compile("^unsupported_format Diese Art von Datei wird nicht gelesen"))
        expect(notice).to_have_attribute("title", re.compile("."))  # the message of the API, which says more
        page.goto(f"{web.url}/?name=kaputt.bin")
        expect(page.locator(".why.bad")).to_contain_text("Diese Art von Datei wird nicht gelesen")


def test_a_job_whose_document_cannot_be_opened_says_why(web: Web, page: Page) -> None:
    job = submit(web.stack, b"no document", name="broken.bin")
    page.goto(f"{web.url}/jobs/{job}")
    expect(page.locator("#job-facts .notice")).to_contain_text("unsupported_format Files of this kind are not read.")
    expect(page.locator("[data-do=drop]")).to_be_visible()
    expect(page.locator("[data-do=retry]")).to_have_count(0)
    expect(page.locator("#search")).to_be_hidden()


def test_a_job_is_cancelled_and_removed(web: Web, page: Page) -> None:
    slow = numbered.document(30, dict.fromkeys(range(1, 31), numbered.SLOW), salt=8)
    job = web.stack.client().submit(slow, engine="numbered", name="slow.tiff")
    page.goto(f"{web.url}/jobs/{job.id}")
    page.locator("[data-do=cancel]").click()
    expect(page.locator("#job-head .state")).to_have_text("cancelled", timeout=60_000)
    page.locator("[data-do=drop]").click()
    expect(page).to_have_url(f"{web.url}/")
    assert "slow.tiff" not in page.locator("#jobs").inner_text()


def opened_file(format: str, content: bytes) -> str:
    """The text that a program finds which opens a downloaded file."""
    if format == "pdf":
        return "".join(page.get_textpage().get_text_range() for page in pypdfium2.PdfDocument(content))
    if format in ("hocr", "alto"):
        root = lxml.etree.fromstring(content)
        return " ".join([*root.itertext(), *(one.get("CONTENT", "") for one in root.iter("{*}String"))])
    if format == "html":
        return lxml.html.document_fromstring(content).text_content()
    if format == "json":
        return " ".join(page["text"] for page in json.loads(content)["pages"])
    if format == "jsonl":
        return " ".join(json.loads(line).get("text") or "" for line in content.splitlines())
    return content.decode()


@pytest.mark.parametrize("format", thorough_but(["text", "pdf"], FORMATS))
def test_every_format_is_downloaded_and_opened(web: Web, page: Page, format: str, tmp_path: Path) -> None:
    job = submit(web.stack, SCAN.read_bytes(), name="scan.pdf")
    page.goto(f"{web.url}/jobs/{job}")
    while page.locator(".menu").get_attribute("open") is None:  # a refresh may come between press and release
        page.locator(".menu summary").click()
    with page.expect_download(timeout=60_000) as download:
        page.locator(f".menu a[href*='format={format}&']").click()
    download.value.save_as(tmp_path / "file")
    assert "White Rabbit" in " ".join(opened_file(format, (tmp_path / "file").read_bytes()).split())


@pytest.mark.thorough
def test_the_document_itself_is_downloaded(web: Web, page: Page) -> None:
    job = submit(web.stack, SCAN.read_bytes(), name="scan.pdf")
    page.goto(f"{web.url}/jobs/{job}")
    page.locator(".menu summary").click()
    with page.expect_download(timeout=60_000) as download:
        page.locator(".menu a[href$='/document']").click()
    assert download.value.suggested_filename == "scan.pdf"
    assert download.value.path().read_bytes() == SCAN.read_bytes()


def test_text_and_queue_are_readable_without_javascript(web: Web, browser: Browser) -> None:
    job = submit(web.stack, SCAN.read_bytes(), name="scan.pdf")
    with opened(browser, java_script_enabled=False) as (_, page, _complaints):
        page.goto(web.url)
        expect(page.locator("#jobs")).to_contain_text("scan.pdf")
        page.goto(f"{web.url}/jobs/{job}?page=2")
        expect(page.locator("#tab-text")).to_contain_text("rabbit-hole")
        page.locator("#next").click()
        expect(page.locator("#viewer h2")).to_have_text("Page 3")


@pytest.mark.thorough
def test_text_can_be_read_before_the_scripts_have_come(web: Web, browser: Browser) -> None:
    job = submit(web.stack, SCAN.read_bytes(), name="scan.pdf")
    with opened(browser) as (_, page, _complaints):
        page.route("**/*.js", lambda _: None)  # a connection so slow that they never come
        page.goto(f"{web.url}/jobs/{job}?page=2", wait_until="commit")
        expect(page.locator("#tab-text")).to_contain_text("rabbit-hole")
        page.locator("#next").click(no_wait_after=True)
        expect(page.locator("#viewer h2")).to_have_text("Page 3")


@pytest.mark.thorough
def test_a_file_that_is_chosen_before_the_scripts_have_come_is_submitted(web: Web, browser: Browser) -> None:
    held: list[Route] = []
    with opened(browser, locale="en-GB") as (_, page, complaints):
        page.route("**/upload.js", lambda route: held.append(route))  # noqa: PLW0108 -- Playwright marks it
        page.goto(web.url, wait_until="commit")
        page.locator("#files").set_input_files(SCAN)
        while not held:
            page.wait_for_timeout(50)
        held[0].continue_()
        expect(page.locator("#uploads a")).to_have_text("scan.pdf")
        assert page.locator("#files").input_value() == ""
        assert complaints.found == []


@pytest.mark.thorough
def test_the_first_screen_is_small(web: Web, page: Page) -> None:
    job = submit(web.stack, numbered.document(2, salt=5), engine="numbered", name="two.tiff")
    sizes: list[int] = []
    page.on("response", lambda answer: sizes.append(int(answer.headers.get("content-length", 0))))
    page.goto(f"{web.url}/jobs/{job}")
    page.goto(web.url)
    assert sum(sizes) < 60_000, sizes  # of both, with style and scripts


class Proxy(ThreadingHTTPServer):
    """A reverse proxy that shows a server below /ocr, and removes that before it passes a request on."""

    daemon_threads = True

    def __init__(self, target: int) -> None:
        super().__init__(("127.0.0.1", 0), Passing)
        self.target = target  # port of the server


class Passing(BaseHTTPRequestHandler):
    """Passes requests on."""

    def do_GET(self) -> None:
        """Pass a GET on; 404 for what is not below the prefix."""
        if not self.path.startswith("/ocr/"):
            self.send_error(404)
            return
        # a browser that leaves a page does not wait for its answers
        with closing(HTTPConnection("127.0.0.1", self.server.target)) as server, suppress(OSError):  # type: ignore[attr-defined]
            server.request("GET", self.path.removeprefix("/ocr"), headers=dict(self.headers))
            answer = server.getresponse()
            self.send_response(answer.status)
            for name, value in answer.getheaders():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(answer.read())

    def log_message(self, *_args: object) -> None:
        """Say nothing."""


@pytest.mark.thorough
def test_behind_a_proxy_every_address_has_its_prefix(stack: Stack, page: Page) -> None:
    web = start_web(stack, "proxied", OCR_HTTP_ROOT_PATH="/ocr")
    submit(stack, SCAN.read_bytes(), name="scan.pdf")
    with Proxy(web.port) as proxy:
        Thread(target=proxy.serve_forever, daemon=True).start()
        url, missing = f"http://127.0.0.1:{proxy.server_port}/ocr", []
        page.on("response", lambda answer: missing.append(answer.url) if answer.status == 404 else None)
        page.goto(f"{url}/")
        page.locator("#jobs a", has_text="scan.pdf").first.click()
        expect(page.locator("#cells .k")).to_have_count(4)
        page.locator("#words").fill("rabbit-hole")
        page.locator("#hits a").first.click()
        expect(page.locator("#tab-text .marked")).to_contain_text("rabbit-hole")
        page.locator("a[hreflang=de]").click()
        expect(page.locator("html")).to_have_attribute("lang", "de")
        page.locator(".top nav a").last.click()
        expect(page).to_have_url(f"{url}/models")
        page.goto(f"{url}/jobs/none")
        page.locator("main a").click()
        expect(page).to_have_url(f"{url}/")
        assert missing == [f"{url}/jobs/none"]
        proxy.shutdown()
    web.kill()


@pytest.mark.thorough
def test_a_page_recovers_when_the_process_was_killed(stack: Stack, browser: Browser) -> None:
    second = start_web(stack, "web2")
    with opened(browser) as (_, page, _complaints):
        page.goto(second.url)
        second.kill()
        expect(page.locator("#connection")).not_to_be_empty(timeout=30_000)
        stack.spawn("web2", stack_command(), OCR_HTTP_PORT=str(second.port))
        expect(page.locator("#connection")).to_be_empty(timeout=60_000)


def stack_command() -> list[str]:
    """The command of the process `web`."""
    import sys

    return [sys.executable, "-m", "ocrqueue.web"]


def test_people_log_in_where_there_are_keys_and_changes_need_the_page(browser: Browser) -> None:
    with running() as stack:
        stack.start_documents(children=1)
        web, secret = start_web(stack), new_key(stack, "people")
        with opened(browser, locale="en-GB") as (context, page, complaints):
            page.goto(web.url)
            expect(page).to_have_url(re.compile("/login"))
            page.locator("#key").fill(secret)
            page.keyboard.press("Enter")
            expect(page).to_have_url(f"{web.url}/")
            page.locator("#files").set_input_files(SCAN)
            expect(page.locator("#uploads a")).to_have_text("scan.pdf")
            job = (page.locator("#uploads a").get_attribute("href") or "").rpartition("/")[2]
            forged = context.request.post(f"{web.api}/jobs/{job}/cancel")  # with the cookie, but without the token
            assert (forged.status, forged.json()["code"]) == (403, "session_token")
            page.locator("form[action='/logout'] button").click()
            expect(page).to_have_url(re.compile("/login"))
            assert complaints.found == []


@pytest.mark.thorough
def test_the_page_says_that_redis_is_away(browser: Browser) -> None:
    with running() as stack:
        web = start_web(stack)
        with opened(browser, locale="en-GB") as (_, page, _complaints):
            page.goto(web.url)
            stack.kill("redis")
            answer = page.request.get(web.url)
            assert (answer.status, int(answer.headers["retry-after"]) > 0) == (503, True)
            expect(page.locator("#connection")).to_contain_text("Redis", timeout=60_000)
            stack.start_redis()
            expect(page.locator("#connection")).to_be_empty(timeout=60_000)
