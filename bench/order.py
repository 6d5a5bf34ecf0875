"""Reading order: CER of the recognised lines in the order of the engine, of `layout` and of the blocks, per class.

`python -m bench.order FOLDER [--class CLASS]... [--limit N] [--files]`. Documents whose truth has no
reading order are left out.
"""

import time
from argparse import ArgumentParser
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import fmean

from bench.bare import OPTIONS
from bench.support import corpus, table
from bench.support.engine import rapidocr
from ocrqueue.documents import PageImage, open_document
from ocrqueue.engines import Engine
from ocrqueue.errors import PageError
from ocrqueue.layout import arrange, blocks_by_rules
from ocrqueue.limits import Limits
from ocrqueue.pages import PageText
from ocrqueue.steps.read import facts_of
from ocrqueue.structure import find_blocks
from ocrqueue.upright import upright

HEADER = (
    "class",
    "files",
    "pages",
    "CER engine's order",
    "CER layout",
    "worse by over 0.01",
    "CER blocks",
    "ms a page",
)
FILE_HEADER = ("file", "class", "CER engine's order", "CER layout", "CER blocks")
WORSE = 0.01


@dataclass(frozen=True, slots=True)
class Score:
    """The scores of one document in both orders."""

    file: str  # name of the document
    cls: str  # class of document
    pages: int  # number of pages
    own: float  # CER in the order of the engine
    arranged: float  # CER in the order of layout
    blocks: float  # CER in the order of the blocks
    seconds: float  # time of layout


def score(entry: corpus.Entry, engine: Engine) -> Score:
    """Read a document and compare all orders with its truth."""
    own: list[str] = []
    arranged: list[str] = []
    of_blocks: list[str] = []
    seconds = 0.0
    for page, seen in read(entry, engine):
        started = time.perf_counter()
        ordered = arrange(page, seen.image)
        seconds += time.perf_counter() - started
        own.append(page.plain)
        arranged.append(ordered.plain)
        facts = facts_of(seen)
        blocks = find_blocks(None, 1, ordered, facts, seen.image) or blocks_by_rules(ordered, facts.dpi)
        of_blocks += [ordered.lines[index].text for block in blocks for index in block.lines]
    before, after, last = (entry.cer("\n".join(texts)) for texts in (own, arranged, of_blocks))
    return Score(entry.file.name, entry.cls, entry.pages, before, after, last, seconds)


def read(entry: corpus.Entry, engine: Engine) -> Iterator[tuple[PageText, PageImage]]:
    """The readable pages of a document, each with its image, upright."""
    with open_document(entry.file, Limits()) as document:
        for number in range(1, entry.pages + 1):
            seen = upright(document.render(number, None, engine.dpi), Limits().max_pixels, entry.file.name)
            (page,) = engine.read([seen.image], OPTIONS)
            if not isinstance(page, PageError):
                yield page, seen


def row(name: str, scores: Sequence[Score]) -> list[table.Cell]:
    """The table row of a class: means over its documents."""
    pages = sum(s.pages for s in scores)
    worse = sum(s.arranged > s.own + WORSE for s in scores)
    errors = fmean(s.own for s in scores), fmean(s.arranged for s in scores)
    of_blocks = fmean(s.blocks for s in scores)
    return [name, len(scores), pages, *errors, worse, of_blocks, 1000 * sum(s.seconds for s in scores) / pages]


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
        table.show(FILE_HEADER, [(s.file, s.cls, s.own, s.arranged, s.blocks) for s in scores])
    table.show(HEADER, [*rows, row("all", scores)])


if __name__ == "__main__":
    main()
