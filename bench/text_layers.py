"""Pages that say their own text: which ones are taken at their word, how well, and how much faster than reading them.

`python -m bench.text_layers FOLDER [--class CLASS]... [--read N]`
"""

import os
import time
from argparse import ArgumentParser
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from bench import corpus, table
from bench.scoring import word_f1
from bench.stack import machine
from ocrqueue.documents import open_document
from ocrqueue.engines import ENGINES, engine_class
from ocrqueue.limits import Limits
from ocrqueue.options import Options

ENGINE = "rapidocr"
DPI = 200  # for the boxes; costs nothing
BORN, SCANNED = ("born-digital",), ("scan-pdf", "rotated")
HEADER = ("class", "pages", "own text", "mixed", "read", "ms a page", "word F1", "false reads", "false skips")


@dataclass(frozen=True, slots=True)
class Page:
    """What became of a page's own text."""

    entry: corpus.Entry
    number: int
    kind: str  # "own text", "mixed" or "read"
    seconds: float
    text: str


def look(entry: corpus.Entry) -> list[Page]:
    """The pages of a PDF."""
    pages = []
    with open_document(entry.file, Limits()) as document:
        for number in range(1, document.page_count + 1):
            started = time.perf_counter()
            layer = document.text_layer(number, None, DPI)
            seconds = time.perf_counter() - started
            kind = "read" if layer is None else "own text" if layer.is_whole else "mixed"
            pages.append(Page(entry, number, kind, seconds, layer.text.plain if layer else ""))
    return pages


def read_seconds(pages: Sequence[Page]) -> float:
    """What rendering and reading a page takes, as a mean over some."""
    engine = engine_class(ENGINES[ENGINE])()
    engine.load(engine.default_model())
    started = time.perf_counter()
    for page in pages:
        with open_document(page.entry.file, Limits()) as document:
            engine.read([document.render(page.number, None, engine.dpi).image], Options())
    seconds = time.perf_counter() - started
    engine.free_resources()
    return seconds / len(pages)


def row(cls: str, pages: Sequence[Page]) -> list[table.Cell]:
    """The line of a class."""
    kinds = [sum(page.kind == kind for page in pages) for kind in ("own text", "mixed", "read")]
    scores = [_score(entry, [p for p in pages if p.entry == entry]) for entry in dict.fromkeys(p.entry for p in pages)]
    known = [score for score in scores if score is not None]
    wrong = [kinds[2] if cls in BORN else 0, kinds[0] + kinds[1] if cls in SCANNED else 0]
    milliseconds = 1000 * fmean(page.seconds for page in pages)
    return [cls, len(pages), *kinds, round(milliseconds, 1), f"{fmean(known):.3f}" if known else "-", *wrong]


def _score(entry: corpus.Entry, pages: Sequence[Page]) -> float | None:
    """How the text of a document whose pages all say theirs agrees with the true one; None for any other."""
    if any(page.kind != "own text" for page in pages):
        return None
    return word_f1("\n".join(page.text for page in pages), entry.truth.read_text(), entry.lang)


def main() -> None:
    """Look, read some, print."""
    parser = ArgumentParser(prog="python -m bench.text_layers", description="Pages that say their own text.")
    corpus.arguments(parser)
    parser.add_argument("--read", type=int, default=5, help="read so many of them as well, to compare the time")
    given = parser.parse_args()
    entries = [e for e in corpus.load(given.folder, given.classes) if e.file.suffix == ".pdf"]
    pages = [page for entry in entries for page in look(entry)]
    classes = sorted({page.entry.cls for page in pages})
    table.show(HEADER, [row(cls, [p for p in pages if p.entry.cls == cls]) for cls in classes])
    own = [page for page in pages if page.kind == "own text"]
    sample = own[:: max(1, len(own) // given.read)][: given.read] if given.read else []
    if sample:
        took, reading = fmean(page.seconds for page in own), read_seconds(sample)
        print(f"\nown text: {1 / took:.0f} pages a second; reading {len(sample)} of them: {reading:.2f} s a page,")
        print(f"{reading / took:.0f} times as long; one process, {machine(os.cpu_count())}")


if __name__ == "__main__":
    main()
