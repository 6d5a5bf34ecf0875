"""Reading order: CER of the recognised lines in the order of the engine and in the order of `layout`, per class.

`python -m bench.order FOLDER [--class CLASS]... [--limit N] [--files]`. Documents whose truth has no
reading order are left out.
"""

import time
from argparse import ArgumentParser
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import fmean

from PIL.Image import Image

from bench.bare import OPTIONS
from bench.support import corpus, table
from bench.support.engine import rapidocr
from ocrqueue.documents import open_document
from ocrqueue.engines import Engine
from ocrqueue.errors import PageError
from ocrqueue.layout import arrange
from ocrqueue.limits import Limits
from ocrqueue.pages import PageText

HEADER = ("class", "files", "pages", "CER engine's order", "CER layout", "worse by over 0.01", "ms a page")
FILE_HEADER = ("file", "class", "CER engine's order", "CER layout")
WORSE = 0.01


@dataclass(frozen=True, slots=True)
class Score:
    """The scores of one document in both orders."""

    file: str  # name of the document
    cls: str  # class of document
    pages: int  # number of pages
    own: float  # CER in the order of the engine
    arranged: float  # CER in the order of layout
    seconds: float  # time of layout


def score(entry: corpus.Entry, engine: Engine) -> Score:
    """Read a document and compare both orders with its truth."""
    own: list[str] = []
    arranged: list[str] = []
    seconds = 0.0
    for page, image in read(entry, engine):
        started = time.perf_counter()
        ordered = arrange(page, image)
        seconds += time.perf_counter() - started
        own.append(page.plain)
        arranged.append(ordered.plain)
    before, after = (entry.cer("\n".join(texts)) for texts in (own, arranged))
    return Score(entry.file.name, entry.cls, entry.pages, before, after, seconds)


def read(entry: corpus.Entry, engine: Engine) -> Iterator[tuple[PageText, Image]]:
    """The readable pages of a document, each with its image."""
    with open_document(entry.file, Limits()) as document:
        for number in range(1, entry.pages + 1):
            image = document.render(number, None, engine.dpi).image
            (page,) = engine.read([image], OPTIONS)
            if not isinstance(page, PageError):
                yield page, image


def row(name: str, scores: Sequence[Score]) -> list[table.Cell]:
    """The table row of a class: means over its documents."""
    pages = sum(s.pages for s in scores)
    worse = sum(s.arranged > s.own + WORSE for s in scores)
    errors = fmean(s.own for s in scores), fmean(s.arranged for s in scores)
    return [name, len(scores), pages, *errors, worse, 1000 * sum(s.seconds for s in scores) / pages]


def main() -> None:
    """Read, score and print."""
    parser = ArgumentParser(prog="python -m bench.order", description="Reading order of engine and layout.")
    corpus.arguments(parser)
    parser.add_argument("--limit", type=int, help="only the first documents")
    parser.add_argument("--files", action="store_true", help="print each document too")
    given = parser.parse_args()
    engine, _ = rapidocr()
    entries = [e for e in corpus.load(given.folder, given.classes) if e.order == "reading"]
    scores = [score(entry, engine) for entry in entries[: given.limit]]
    rows = [row(cls, [s for s in scores if s.cls == cls]) for cls in sorted({s.cls for s in scores})]
    if given.files:
        table.show(FILE_HEADER, [(s.file, s.cls, s.own, s.arranged) for s in scores])
    table.show(HEADER, [*rows, row("all", scores)])


if __name__ == "__main__":
    main()
