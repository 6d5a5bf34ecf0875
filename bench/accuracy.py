"""Accuracy per class of document, of the queue and of the bare engine with the same settings on the same files.

`python -m bench.accuracy FOLDER [--class CLASS]... [--limit N] [--out FILE]`
"""

import tempfile
from argparse import ArgumentParser
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean

from bench import bare
from bench.support import corpus, raw, table
from bench.support.stack import machine, private_stack, start_workers
from ocrqueue.errors import OcrFailed
from ocrqueue.storage.spool import Spool

CHILDREN = 2
Texts = Mapping[int, str]  # {page number: text}, without pages that were not read
HEADER = ("class", "files", "pages", "CER queue", "CER bare", "word F1 queue", "word F1 bare", "identical pages")


@dataclass(frozen=True, slots=True)
class Score:
    """The scores of queue and bare engine for one document."""

    file: str  # name of the document
    cls: str  # class of document
    pages: int  # number of pages
    identical: int  # pages for which both sides read the same text
    cer_queue: float  # character error rate
    cer_bare: float
    f1_queue: float  # word F1
    f1_bare: float


def read_by_queue(entries: Sequence[corpus.Entry]) -> list[Texts]:
    """The pages of each document, read by a stack with two children."""
    with private_stack() as stack:
        start_workers(stack, children=CHILDREN)
        client = stack.client()
        jobs = [client.submit(entry.file, fresh=True, text_layer="ignore") for entry in entries]
        found: list[Texts] = []
        for job in jobs:
            try:
                pages = job.result()["pages"]
            except OcrFailed as e:
                print(f"{job.status().name}: {e}")
                pages = []
            found.append({page["page"]: page["text"] for page in pages if page["state"] == "ok"})
        return found


def read_by_bare(entries: Sequence[corpus.Entry]) -> list[Texts]:
    """The pages of each document, read by two plain processes."""
    with tempfile.TemporaryDirectory(prefix="ocr-bench-") as folder:
        root = Path(folder) / "spool"
        bare.run(bare.pages_of(entries), root, CHILDREN)
        spool = Spool(str(root))
        jobs = [bare.job_of(entry.file) for entry in entries]
        return [{n: spool.read_page(job, n)["text"] for n in spool.page_numbers(job)} for job in jobs]


def score(entry: corpus.Entry, queue: Texts, plain: Texts) -> Score:
    """Compare both sides with the truth."""
    texts = ["\n".join(side[n] for n in sorted(side)) for side in (queue, plain)]
    errors = [entry.cer(text, in_order=not entry.is_bag) for text in texts]
    words = [entry.word_f1(text) for text in texts]
    numbers = range(1, entry.pages + 1)
    identical = sum(queue.get(n) == plain.get(n) for n in numbers)
    return Score(entry.file.name, entry.cls, entry.pages, identical, *errors, *words)


def row(name: str, scores: Sequence[Score]) -> list[table.Cell]:
    """The table row of a class: means over its documents."""
    means = [fmean(getattr(s, field) for s in scores) for field in ("cer_queue", "cer_bare", "f1_queue", "f1_bare")]
    pages, identical = sum(s.pages for s in scores), sum(s.identical for s in scores)
    return [name, len(scores), pages, *means, f"{identical} of {pages}"]


def main() -> None:
    """Read, score and print."""
    parser = ArgumentParser(prog="python -m bench.accuracy", description="Accuracy of the queue and the bare engine.")
    corpus.arguments(parser)
    parser.add_argument("--limit", type=int, help="only the first documents")
    raw.add_option(parser)
    given = parser.parse_args()
    entries = corpus.load(given.folder, given.classes, given.limit)
    sides = read_by_queue(entries), read_by_bare(entries)
    scores = [score(*each) for each in zip(entries, *sides, strict=True)]
    rows = [row(cls, [s for s in scores if s.cls == cls]) for cls in sorted({s.cls for s in scores})]
    table.show(HEADER, [*rows, row("all", scores)])
    print(f"\nmeans over documents; {machine()}")
    raw.write(given.out, [asdict(s) for s in scores])


if __name__ == "__main__":
    main()
