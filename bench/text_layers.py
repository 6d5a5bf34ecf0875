"""Text layers of PDF pages: which are used instead of OCR, how accurate they are, and how much CPU time they save.

`python -m bench.text_layers FOLDER [--class CLASS]... [--read N]`. The CPU time of a page is that of the process, for
all that a worker does for its text: open the file, take the text layer or render, turn and read the page, put the lines
in reading order, and make the JSON that is stored.
"""

import json
import time
from argparse import ArgumentParser
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from bench.support import corpus, table
from bench.support.engine import rapidocr
from bench.support.scoring import word_f1
from bench.support.stack import machine
from ocrqueue.documents import PageImage, open_document
from ocrqueue.documents.text_layer import TextLayer
from ocrqueue.layout import arrange
from ocrqueue.limits import Limits
from ocrqueue.options import Options
from ocrqueue.pages import PageText
from ocrqueue.process.memory import settle
from ocrqueue.steps.read import facts_of
from ocrqueue.storage.results import page_result
from ocrqueue.upright import upright

DPI = 200  # of the bounding boxes; has no influence on the time
BORN, SCANNED = ("born-digital",), ("scan-pdf", "rotated")
HEADER = ("class", "pages", "own text", "mixed", "read", "ms a page", "word F1", "false reads", "false skips")


@dataclass(frozen=True, slots=True)
class Page:
    """What happens with the text layer of a page."""

    entry: corpus.Entry  # its document
    number: int  # from 1
    kind: str  # "own text" (the layer is used), "mixed" (used for a part of the page) or "read" (not used)
    seconds: float  # of CPU, to get the stored page from the layer
    text: str  # of the layer


def look(entry: corpus.Entry) -> list[Page]:
    """The text layers of all pages of a PDF. It is opened for each page, as a worker does."""
    with open_document(entry.file, Limits()) as document:
        count = document.page_count
    return [look_at(entry, number) for number in range(1, count + 1)]


def look_at(entry: corpus.Entry, number: int) -> Page:
    """The text layer of a page of a PDF."""
    started = time.process_time()
    with open_document(entry.file, Limits()) as document:
        layer = document.text_layer(number, None, DPI)
        layer = layer and layer.upright()
        if layer:
            stored(number, layer, arrange(layer.text))
    seconds = time.process_time() - started
    kind = "read" if layer is None else "own text" if layer.is_whole else "mixed"
    return Page(entry, number, kind, seconds, layer.text.plain if layer else "")


def stored(number: int, page: PageImage | TextLayer, text: PageText) -> bytes:
    """The page as a worker stores it."""
    return json.dumps(page_result(number, text, facts_of(page)), ensure_ascii=False).encode()


def read_seconds(pages: Sequence[Page]) -> float:
    """The mean CPU time to render and read one of these pages, in seconds."""
    engine, _ = rapidocr()
    settle()  # like a worker's child
    started = time.process_time()
    for page in pages:
        with open_document(page.entry.file, Limits()) as document:
            image = upright(document.render(page.number, None, engine.dpi), Limits().max_pixels, "page")
            (found,) = engine.read([image.image], Options())
            assert isinstance(found, PageText), "a page was not read"
            stored(page.number, image, arrange(found, image.image))
    seconds = time.process_time() - started
    engine.free_resources()
    return seconds / len(pages)


def row(cls: str, pages: Sequence[Page]) -> list[table.Cell]:
    """The table row of a class."""
    kinds = [sum(page.kind == kind for page in pages) for kind in ("own text", "mixed", "read")]
    scores = [_score(entry, [p for p in pages if p.entry == entry]) for entry in dict.fromkeys(p.entry for p in pages)]
    known = [score for score in scores if score is not None]
    wrong = [kinds[2] if cls in BORN else 0, kinds[0] + kinds[1] if cls in SCANNED else 0]
    milliseconds = 1000 * fmean(page.seconds for page in pages)
    return [cls, len(pages), *kinds, round(milliseconds, 1), f"{fmean(known):.3f}" if known else "-", *wrong]


def _score(entry: corpus.Entry, pages: Sequence[Page]) -> float | None:
    """The word F1 of a document whose pages all use their text layers; None for other documents."""
    if any(page.kind != "own text" for page in pages):
        return None
    return word_f1("\n".join(page.text for page in pages), entry.truth.read_text(), entry.lang)


def main() -> None:
    """Extract text layers, read some pages and print."""
    parser = ArgumentParser(prog="python -m bench.text_layers", description="Text layers of PDF pages.")
    corpus.arguments(parser)
    parser.add_argument("--read", type=int, default=5, help="read so many of these pages to compare the time")
    given = parser.parse_args()
    settle()
    entries = [e for e in corpus.load(given.folder, given.classes) if e.file.suffix == ".pdf"]
    pages = [page for entry in entries for page in look(entry)]
    classes = sorted({page.entry.cls for page in pages})
    table.show(HEADER, [row(cls, [p for p in pages if p.entry.cls == cls]) for cls in classes])
    own = [page for page in pages if page.kind == "own text"]
    sample = own[:: max(1, len(own) // given.read)][: given.read] if given.read else []
    if sample:
        took = fmean(look_at(page.entry, page.number).seconds for page in sample)  # nothing is loaded meanwhile
        reading = read_seconds(sample)
        print(f"\n{len(sample)} pages with own text: {1000 * took:.1f} ms of CPU a page by their text layer,")
        print(f"{1000 * reading:.0f} ms read: {reading / took:.0f} times as long; one process, {machine()}")


if __name__ == "__main__":
    main()
