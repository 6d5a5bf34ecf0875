"""`python -m scripts.screenshots`: makes the screenshots of the web UI in docs/assets, with a whole stack of its own.

It needs Chromium and takes a minute or two. Run it in the project's folder when the web UI has changed.
"""

import os
import shutil
import sys
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page

from ocrqueue.client import submit
from ocrqueue.settings import shared
from scripts.demo import PROJECT, SAMPLE, connect, free_port, say, stack
from tests.support.browser import chromium, opened

ASSETS = PROJECT / "docs" / "assets"
WINDOW = {"width": 1200, "height": 760}  # pixels
COLOURS = 256  # of the palette
MAX_BYTES = 150_000  # of a screenshot
SETTLE_MS = 3000  # for images, and an update of the queue, which comes every two seconds


def picture(page: Page, url: str, name: str) -> None:
    """Write the page at the URL to docs/assets as a PNG with a palette. Raises SystemExit if it is over MAX_BYTES."""
    file = ASSETS / f"{name}.png"
    page.goto(url)
    page.wait_for_timeout(SETTLE_MS)
    page.screenshot(path=file)
    with Image.open(file) as image:
        # this method keeps colours that few pixels have, such as the red of a button
        palette = image.convert("RGB").quantize(COLOURS, Image.Quantize.MAXCOVERAGE, 3, dither=Image.Dither.NONE)
        palette.save(file, optimize=True)
    size = file.stat().st_size
    if size > MAX_BYTES:
        sys.exit(f"{file} has {size} bytes, and may have {MAX_BYTES}: make WINDOW smaller")
    say(f"{file.relative_to(PROJECT)}: {size // 1000} KB")


def documents(folder: Path) -> list[Path]:
    """Copies of the sample under names that an office might use."""
    names = ("Invoice 4711.pdf", "Minutes of the board.pdf", "Lease, signed.pdf")
    return [Path(shutil.copy(PROJECT / SAMPLE, folder / name)) for name in names]


def main() -> None:
    """Start a stack on an empty data folder, read some documents, and make the screenshots of it."""
    os.chdir(PROJECT)
    with tempfile.TemporaryDirectory() as folder:
        port = free_port(8123)
        os.environ |= {"OCR_DATA_DIR": f"{folder}/data", "OCR_HTTP_PORT": str(port)}
        settings = shared()
        with (
            connect(settings) as client,
            stack(client, settings),
            chromium() as browser,
            opened(browser, viewport=WINDOW, locale="en-GB") as (_, page, _complaints),
        ):
            jobs = [submit(file, fresh=True) for file in documents(Path(folder))]
            jobs[0].wait(300)
            picture(page, f"http://127.0.0.1:{port}/jobs/{jobs[0].id}", "web-ui-job")
            picture(page, f"http://127.0.0.1:{port}/", "web-ui-queue")


if __name__ == "__main__":
    main()
