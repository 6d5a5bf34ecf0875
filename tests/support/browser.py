"""A real Chromium for tests of the web UI: the machine's own."""

from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from tests.support import needs

TIMEOUT = 30_000  # milliseconds, on a busy machine
expect.set_options(timeout=TIMEOUT)


@contextmanager
def chromium() -> Iterator[Browser]:
    """A running browser. Raises AssertionError if none is installed."""
    program = needs.chromium()
    assert program, "install Chromium (Debian: apt install chromium), or put its folder on PATH"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-gpu"])
        try:
            yield browser
        finally:
            browser.close()


class Complaints:
    """What a page complains about: errors of scripts, and what the Content-Security-Policy blocked."""

    def __init__(self, page: Page) -> None:
        self.found: list[str] = []
        page.on("pageerror", lambda error: self.found.append(str(error)))
        page.on("console", lambda line: self.found.append(line.text) if "Content Security" in line.text else None)
        page.on("dialog", self._dialog)

    def _dialog(self, dialog: object) -> None:
        kind, message = dialog.type, dialog.message  # type: ignore[attr-defined]
        if kind == "confirm":
            dialog.accept()  # type: ignore[attr-defined]
        else:
            self.found.append(f"{kind}: {message}")
            dialog.dismiss()  # type: ignore[attr-defined]


@contextmanager
def opened(browser: Browser, **options: object) -> Iterator[tuple[BrowserContext, Page, Complaints]]:
    """A window of its own, with its own cookies."""
    context = browser.new_context(**options)  # type: ignore[arg-type]
    context.set_default_timeout(TIMEOUT)
    try:
        page = context.new_page()
        yield context, page, Complaints(page)
    finally:
        context.close()
