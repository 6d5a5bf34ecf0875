"""Resident memory of one child over many pages without recycling, and the memory that recycling frees.

`python -m bench.memory [FOLDER] [--pages N] [--precision NAME] [--recycle N]`. With a folder (see bench/README.md)
RapidOCR reads its documents repeatedly, one of each class in turn, so that the first 50 pages include nearly every
class; without one, the test engine reads numbered pages. Each further round is in another order. Documents are shown in
six sizes, another one in each round, and all six in each round: PDFs at another resolution, and JPEG and PNG images
scaled. `--precision int8` computes as processors with AVX-512 VNNI and without bf16 do. The slope is a least squares
fit through the means of whole rounds (of 50 pages of the test engine), because the memory after a page depends on the
pages before it; over the second half of all rounds, with its standard error. Then each child is replaced after
`--recycle` pages (0: not measured): the freed memory is the memory of a child after its last page minus the memory of
the next child after its first page.
"""

import io
import random
import re
import sys
from argparse import ArgumentParser
from collections.abc import Iterator, Sequence
from itertools import count, pairwise
from pathlib import Path
from statistics import fmean, median

from PIL import Image, ImageOps

from bench.support import corpus, table
from bench.support.fit import slope
from bench.support.stack import private_stack, start_workers
from ocrqueue.engines.rapidocr.engine import RapidOcr
from ocrqueue.engines.rapidocr.weights import Precision
from tests.support import numbered
from tests.support.harness import NUMBERED, Stack

WARM_UP = 50  # pages that are not counted
BLOCK = 50  # pages of the test engine whose mean is one point of the fit
LONG = 500  # pages of one document for the test engine
RENDERINGS = (None, 150, 250, 180, 300, 120)  # dpi of PDFs; an image is scaled by dpi / 200
INT8 = "rapidocr=bench.memory:Int8"
_ROW = re.compile(r"PoolWorker-(\d+) job=\S* memory rss=(\d+) .*tasks=(\d+) ")


class Int8(RapidOcr):
    """The engine `rapidocr` in int8, whatever the processor is."""

    def __init__(self) -> None:
        super().__init__("int8")


def documents(folder: Path | None) -> Iterator[tuple[bytes, int, str | None, int | None]]:
    """Endless (document, number of pages, name, dpi)."""
    for n in count():
        if folder is None:
            yield numbered.document(LONG, salt=n), LONG, None, None
            continue
        entries = list(enumerate(corpus.mixed(corpus.load(folder), 10**6)))
        if n:
            random.Random(n).shuffle(entries)  # the same order in every run
        for number, entry in entries:
            dpi = RENDERINGS[(number + n) % len(RENDERINGS)]
            yield _shown(entry.file, dpi), entry.pages, entry.file.name, dpi


def _shown(file: Path, dpi: int | None) -> bytes:
    """The file, or an image of another size if it is a JPEG or PNG."""
    if dpi is None or file.suffix not in (".jpg", ".png"):
        return file.read_bytes()
    with Image.open(file) as image, io.BytesIO() as scaled:
        ImageOps.scale(ImageOps.exif_transpose(image).convert("RGB"), dpi / 200).save(scaled, "PNG")
        return scaled.getvalue()


def measure(folder: Path | None, pages: int, recycle: int, precision: Precision) -> list[list[int]]:
    """Resident memory in bytes after each page; one list for each child, in order."""
    engines = (INT8 if precision == "int8" else "rapidocr") if folder else NUMBERED
    with private_stack() as stack:
        if precision == "int8":
            stack.env["ONEDNN_MAX_CPU_ISA"] = "AVX512_CORE_VNNI"
        stack.env |= {"OCR_MAX_TASKS_PER_CHILD": str(recycle), "OCR_MAX_CHILD_MB": "100000"}
        start_workers(stack, engines, children=1)
        _read(stack, folder, pages)
        rows = [(int(c), int(rss)) for c, rss, _ in _ROW.findall(stack.text("worker"))]
    return [[rss for c, rss in rows if c == child] for child in sorted({c for c, _ in rows})]


def _read(stack: Stack, folder: Path | None, pages: int) -> None:
    """Read so many pages, one document after another, so that the order of pages is always the same."""
    left = pages
    for document, length, name, dpi in documents(folder):
        if left <= 0:
            return
        asked = f"1-{left}" if length > left else None
        engine = "rapidocr" if folder else "numbered"
        stack.client().submit(document, name=name, engine=engine, pages=asked, dpi=dpi, fresh=True).wait(timeout=7200)
        left -= length


def rise_of(values: Sequence[int], block: int) -> tuple[float, float]:
    """By how much memory rises with each page, and the standard error, through the means of blocks of pages."""
    means = [fmean(values[start : start + block]) for start in range(0, len(values) - block + 1, block)]
    print("MB by block:", *(f"{mean / 2**20:.1f}" for mean in means))
    rise, error = slope(means)
    return rise / block, error / block


def main() -> int:
    """Measure and print."""
    parser = ArgumentParser(description="Memory of a child over many pages.")
    parser.add_argument("folder", type=Path, nargs="?", help="documents for RapidOCR (default: the test engine)")
    parser.add_argument("--pages", type=int, help="default: six rounds of a folder, 10,000 of the test engine")
    parser.add_argument("--precision", choices=("default", "int8"), default="default", help="of RapidOCR")
    parser.add_argument("--recycle", type=int, default=100, help="second part: replace a child after N pages")
    given = parser.parse_args()
    round_pages = sum(entry.pages for entry in corpus.load(given.folder)) if given.folder else BLOCK
    pages = given.pages or (6 * round_pages if given.folder else 10_000)
    (child,) = measure(given.folder, pages, 10**6, given.precision)
    kept = child[WARM_UP:]
    block = round(len(child) * round_pages / pages)  # some tasks find their page taken, so there are more than pages
    second_half = child[-(len(child) // block // 2) * block :]
    rise, error = rise_of(second_half, block)
    table.show(
        ["tasks", "MB after the 50th", "MB after the last", "KB a task", "+/-", "most MB"],
        [[len(child), kept[0] / 2**20, kept[-1] / 2**20, rise / 1024, error / 1024, max(child) / 2**20]],
    )
    if not given.recycle:
        return 0
    children = measure(given.folder, 5 * given.recycle, given.recycle, given.precision)
    given_back = [(old[-1] - new[0]) / 2**20 for old, new in pairwise(children) if len(old) > 1]
    table.show(
        ["children of", "MB before, median", "MB after", "MB given back, median", "least"],
        [[given.recycle, median(c[-1] / 2**20 for c in children), median(c[0] / 2**20 for c in children),
          median(given_back), min(given_back)]],
    )  # fmt: skip
    return 0


if __name__ == "__main__":
    sys.exit(main())
