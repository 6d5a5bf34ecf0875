"""What a page with a text layer costs in the whole queue, beside the same page read by OCR.

`python -m bench.born_digital FOLDER [--pages N] [--read N] [--rounds N]`. Of all pages in PDFs of the folder whose text
layer is used whole, `--read` are chosen evenly. A private stack reads them by OCR. It also processes a document of
`--pages` pages, in which they come over and over, with their text layers. Both count the CPU time of all processes:
client, Redis, workers, beat. Loading the engine, and the first job, do not count.
"""

import time
from argparse import ArgumentParser
from collections.abc import Mapping, Sequence
from itertools import cycle, islice
from pathlib import Path

import psutil

from bench.queue_cost import difference, spent
from bench.support import corpus, table
from bench.support.stack import machine, private_stack, start_workers
from bench.text_layers import Page, look
from ocrqueue.documents.pdf.mupdf import pymupdf
from tests.support.harness import Stack

HEADER = ("round", "ms CPU a page, text layer", "of it in the child", "ms CPU a page, OCR", "ratio")


def document(pages: Sequence[Page], count: int) -> bytes:
    """A PDF of so many of these pages, in turns."""
    with pymupdf.open() as made:
        for page in islice(cycle(pages), count):
            with pymupdf.open(page.entry.file) as source:
                made.insert_pdf(source, from_page=page.number - 1, to_page=page.number - 1)
        return bytes(made.tobytes(garbage=4, deflate=True))


def cost(stack: Stack, pdf: bytes, text_layer: str = "use") -> tuple[float, float]:
    """CPU milliseconds of all processes for a page of this document, and those of the page worker's child alone."""
    client = stack.client()
    processes: Mapping[str, psutil.Process] = {
        **{name: psutil.Process(process.pid) for name, process in stack.processes.items()},
        "client": psutil.Process(),
    }
    before = spent(processes)
    status = client.submit(pdf, text_layer=text_layer, fresh=True).wait(timeout=3600)
    time.sleep(1)  # for what follows the end of a job
    assert status.state == "done", status
    by_process = difference(spent(processes), before, status.ok)
    return 1000 * sum(by_process.values()), 1000 * by_process["worker, children"]


def main() -> None:
    """Measure and print."""
    parser = ArgumentParser(prog="python -m bench.born_digital", description="The cost of pages with a text layer.")
    parser.add_argument("folder", type=Path, help="a folder with a manifest.json")
    parser.add_argument("--pages", type=int, default=200, help="of the document (default 200)")
    parser.add_argument("--read", type=int, default=20, help="different pages (default 20)")
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    found = [page for e in corpus.load(given.folder) if e.file.suffix == ".pdf" for page in look(e)]
    own = [page for page in found if page.kind == "own text"]
    chosen = [own[place * len(own) // given.read] for place in range(given.read)]
    long, short = document(chosen, given.pages), document(chosen, given.read)
    rows = []
    with private_stack() as stack:
        start_workers(stack, children=1)
        cost(stack, short)
        for number in range(1, given.rounds + 1):
            layer, children = cost(stack, long)
            read, _ = cost(stack, short, text_layer="ignore")
            rows.append((str(number), layer, children, read, read / layer))
    table.show(HEADER, rows)
    print(f"\n{given.read} of {len(own)} pages with own text; {machine()}")


if __name__ == "__main__":
    main()
