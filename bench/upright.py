"""Turning pages upright: which pages are turned, how long this takes, how reliable it is, and how reading improves.

`python -m bench.upright FOLDER [--class CLASS]... [--pages N] [--turned N] [--read]`. Only documents of the class
`rotated` may be turned by a quarter or more. Rotations in the metadata of a file are applied before. `--turned` turns
the first page of so many upright documents by known angles. `--read` reads the documents of the class `rotated`,
unchanged and turned upright.
"""

import time
from argparse import ArgumentParser
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import fmean, median

from bench.support import corpus, table
from bench.support.engine import rapidocr
from bench.support.stack import machine
from ocrqueue.documents import PageImage, open_document
from ocrqueue.documents.transforms import IDENTITY
from ocrqueue.engines import Engine
from ocrqueue.limits import Limits
from ocrqueue.options import Options
from ocrqueue.pages import PageText
from ocrqueue.upright import upright
from ocrqueue.upright.direction import turn_needed
from ocrqueue.upright.turn import turned

DPI = 200  # of the engine rapidocr
LIMITS = Limits()
TURNED = "rotated"  # the class of documents that are not upright
TURNS = (90, 180, 270, -10, -7, -3, -1, 1, 3, 7, 10, 93, 177, 263)
NEAR = 0.5  # degrees; the largest error of a turn that counts as found


@dataclass(frozen=True, slots=True)
class Finding:
    """The direction of one page."""

    cls: str  # class of document
    name: str  # of the document, and page number
    degrees: float  # the angle to turn it by, -180 to 180
    seconds: float  # CPU time to find the angle, one thread


def rendered(entry: corpus.Entry, pages: int | None) -> Iterator[PageImage]:
    """The first `pages` pages of a document (None: all), not yet turned upright."""
    with open_document(entry.file, LIMITS) as document:
        for number in range(1, min(document.page_count, pages or document.page_count) + 1):
            yield document.render(number, None, DPI)


def look(entry: corpus.Entry, pages: int | None) -> list[Finding]:
    """The directions of the first pages of a document."""
    found = []
    for number, page in enumerate(rendered(entry, pages), 1):
        started = time.thread_time()
        degrees = turn_needed(page.image)
        seconds = time.thread_time() - started
        found.append(Finding(entry.cls, f"{entry.file.name} {number}", _signed(degrees), seconds))
    return found


def show_findings(findings: Sequence[Finding]) -> None:
    """Print a row for each class, and the pages of the class `rotated`."""
    rows: list[list[table.Cell]] = []
    for cls in [*sorted({f.cls for f in findings}), "all"]:
        those = [f for f in findings if cls in (f.cls, "all")]
        quarters, skewed = sum(abs(f.degrees) > 45 for f in those), sum(0 < abs(f.degrees) <= 45 for f in those)
        seconds = [f.seconds for f in those]
        rows.append([cls, len(those), quarters, skewed, fmean(seconds), median(seconds), max(seconds)])
    table.show(("class", "pages", "by quarters", "by less", "s a page", "median", "most"), rows)
    wrong = [f for f in findings if f.cls != TURNED and abs(f.degrees) > 45]
    print(f"\nupright pages turned by a quarter or more: {len(wrong)}", *(f"{f.name}: {f.degrees:.1f}" for f in wrong))
    table.show(("page", "degrees"), [[f.name, f.degrees] for f in findings if f.cls == TURNED])


def turn_on_purpose(entries: Sequence[corpus.Entry]) -> None:
    """Turn the first page of each document by each of `TURNS`, and print how often this angle was found."""
    right = dict.fromkeys(TURNS, 0)
    missed = []
    for entry in entries:
        page = next(rendered(entry, 1))
        before = turn_needed(page.image)
        for degrees in TURNS:
            image = turned(PageImage(page.image, page.dpi, 0, IDENTITY), degrees % 360, LIMITS.max_pixels).image
            error = _signed(turn_needed(image) + degrees - before)
            right[degrees] += abs(error) <= NEAR
            if abs(error) > NEAR:
                missed.append(f"{entry.file.name} turned by {degrees}: {error:.1f} off")
    table.show(("turned by", "pages", "found"), [[f"{d}°", len(entries), right[d]] for d in TURNS])
    print("\n" + "\n".join(missed or ["none missed"]))


def read(entries: Sequence[corpus.Entry]) -> None:
    """Print the CER and word F1 of documents, unchanged and turned upright."""
    engine, _ = rapidocr()
    rows: list[list[table.Cell]] = []
    for entry in entries:
        texts = [
            "\n".join(_text(engine, turn(page)) for page in rendered(entry, None))
            for turn in (lambda p: p, _turn_upright)
        ]
        rows.append([entry.file.name, *map(entry.cer, texts), *map(entry.word_f1, texts)])
    table.show(("document", "CER unchanged", "CER upright", "word F1 unchanged", "word F1 upright"), rows)


def _turn_upright(page: PageImage) -> PageImage:
    return upright(page, LIMITS.max_pixels, "page")


def _text(engine: Engine, page: PageImage) -> str:
    (found,) = engine.read([page.image], Options())
    return found.plain if isinstance(found, PageText) else ""


def _signed(degrees: float) -> float:
    return (degrees + 180) % 360 - 180


def main() -> None:
    """Measure and print."""
    parser = ArgumentParser(prog="python -m bench.upright", description="Turning pages upright.")
    corpus.arguments(parser)
    parser.add_argument("--pages", type=int, help="only the first pages of each document")
    parser.add_argument("--turned", type=int, default=0, metavar="N", help="turn the first pages of N documents")
    parser.add_argument("--read", action="store_true", help=f"read the documents of the class {TURNED}")
    given = parser.parse_args()
    entries = corpus.load(given.folder, given.classes)
    show_findings([finding for entry in entries for finding in look(entry, given.pages)])
    if given.turned:
        others = [entry for entry in entries if entry.cls != TURNED]
        turn_on_purpose(others[:: max(1, len(others) // given.turned)][: given.turned])
    if given.read:
        read([entry for entry in entries if entry.cls == TURNED])
    print(f"\n{machine()}")


if __name__ == "__main__":
    main()
