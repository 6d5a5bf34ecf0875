"""The engine `rapidocr` beside RapidOCR as it comes, on the same files in the same run: CPU time and accuracy.

`python -m bench.speed FOLDER [--class CLASS]... [--pages N] [--rounds N] [--peers] [--out FILE]`. Each side is a
process that renders and reads the same pages; they run in turn. Its CPU time is user and system time of that whole
process; loading (imports, models, a first small page) is in it, and shown apart too. Of this project all that a worker
does for a page's text counts: finding out how the page lies, reading it, and putting its lines in order. RapidOCR as it
comes runs on ONNX Runtime with its own settings but for one thread. `--peers` adds tesseract, and pymupdf4llm with
RapidOCR, where they are installed.
"""

import json
import multiprocessing
import os
import resource
import shutil
import subprocess
import tempfile
from argparse import ArgumentParser
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from statistics import fmean, median
from typing import Any

from bench import corpus, table
from bench.scoring import cer, word_f1
from bench.stack import machine
from ocrqueue.documents import PageImage

Read = Callable[[PageImage], str]


@dataclass(frozen=True, slots=True)
class Run:
    """What one side took for all pages, and read."""

    side: str
    load: float  # CPU seconds until the first page
    total: float  # CPU seconds of the whole process and its children
    texts: list[str]  # of each document


def ours() -> Read:
    """This project's engine, and what a worker does besides."""
    from ocrqueue.engines.rapidocr.engine import RapidOcr
    from ocrqueue.layout import arrange
    from ocrqueue.limits import Limits
    from ocrqueue.options import Options
    from ocrqueue.pages import PageText
    from ocrqueue.process.memory import settle
    from ocrqueue.upright import upright

    engine = RapidOcr()
    engine.load(engine.default_model())
    settle()  # as a worker's child does

    def read(page: PageImage) -> str:
        image = upright(page, Limits().max_pixels, "page").image
        (found,) = engine.read([image], Options())
        return arrange(found, image).plain if isinstance(found, PageText) else ""

    return read


def stock() -> Read:
    """RapidOCR with its own settings, on one thread."""
    os.environ["OMP_NUM_THREADS"] = "1"
    import cv2
    import numpy as np
    from rapidocr import RapidOCR

    cv2.setNumThreads(1)
    threads = {f"EngineConfig.onnxruntime.{kind}_op_num_threads": 1 for kind in ("intra", "inter")}
    engine = RapidOCR(params={"Global.log_level": "error", **threads})
    engine(np.full((192, 256, 3), 255, np.uint8))

    def read(page: PageImage) -> str:
        found: Any = engine(np.asarray(page.image.convert("RGB"))[:, :, ::-1])
        return "\n".join(found.txts or ())

    return read


def tesseract() -> Read:
    """The program `tesseract` with its English data, a process for each page."""

    def read(page: PageImage) -> str:
        with tempfile.NamedTemporaryFile(suffix=".png") as file:
            page.image.save(file.name, dpi=(200, 200))
            command = ["tesseract", file.name, "-", "-l", "eng"]
            environment = os.environ | {"OMP_THREAD_LIMIT": "1"}
            return subprocess.run(command, env=environment, capture_output=True, text=True, check=False).stdout

    return read


def pymupdf4llm() -> Read:
    """The page as an image in a PDF, read by pymupdf4llm with its RapidOCR, as text."""
    os.environ["OMP_NUM_THREADS"] = "1"
    import pymupdf

    to_text = import_module("pymupdf4llm").to_text

    def read(page: PageImage) -> str:
        document = pymupdf.open()
        sheet = document.new_page(width=page.image.width * 72 / 200, height=page.image.height * 72 / 200)
        with tempfile.NamedTemporaryFile(suffix=".png") as file:
            page.image.save(file.name)
            sheet.insert_image(sheet.rect, filename=file.name)
        return str(to_text(document, force_ocr=True, show_progress=False))

    return read


SIDES: dict[str, Callable[[], Read]] = {
    "stock": stock,
    "ours": ours,
    "tesseract": tesseract,
    "pymupdf4llm": pymupdf4llm,
}


def sides(with_peers: bool) -> list[str]:
    """The sides that can run here."""
    found = {"tesseract": shutil.which("tesseract"), "pymupdf4llm": find_spec("pymupdf4llm")}
    return ["stock", "ours", *(name for name in found if with_peers and found[name])]


def cpu_seconds() -> float:
    """User and system time of this process and of those that it has waited for."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(u.ru_utime + u.ru_stime for u in used)


def run(side: str, entries: Sequence[corpus.Entry]) -> Run:
    """Read every page with one side. To be called in a process of its own."""
    from ocrqueue.documents import open_document
    from ocrqueue.limits import Limits

    read = SIDES[side]()
    load = cpu_seconds()
    texts = []
    for entry in entries:
        document = open_document(entry.file, Limits())
        pages = [read(document.render(n, None, 200)) for n in range(1, entry.pages + 1)]
        document.close()
        texts.append("\n".join(pages))
    return Run(side, load, cpu_seconds(), texts)


def alone(side: str, entries: Sequence[corpus.Entry]) -> Run:
    """`run` in a fresh process."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        return pool.submit(run, side, entries).result()


def accuracy(entries: Sequence[corpus.Entry], texts: Sequence[str]) -> tuple[list[float], list[float]]:
    """CER, order left aside, and word F1 of each document."""
    errors, words = [], []
    for entry, text in zip(entries, texts, strict=True):
        truth = entry.truth.read_text()
        errors.append(cer(text, truth, entry.lang, ignore_case=entry.ignores_case, in_order=False))
        words.append(word_f1(text, truth, entry.lang, ignore_case=entry.ignores_case))
    return errors, words


def show(entries: Sequence[corpus.Entry], runs: Sequence[Run]) -> None:
    """Both tables."""
    pages = sum(e.pages for e in entries)
    names = list(dict.fromkeys(r.side for r in runs))
    base = median(r.total for r in runs if r.side == "stock")
    rows: list[list[table.Cell]] = []
    for name in names:
        totals = [r.total for r in runs if r.side == name]
        load = median(r.load for r in runs if r.side == name)
        rows.append([name, median(totals) / pages, load, median(totals) / base, " ".join(f"{t:.1f}" for t in totals)])
    table.show(("side", "CPU s/page", "of it once, to load, s", "times stock", "CPU s of each run"), rows)
    scores = {r.side: accuracy(entries, r.texts) for r in runs}
    header = ["class", "files"] + [f"{what} {name}" for what in ("CER*", "word F1") for name in names]
    kinds = {cls: [i for i, e in enumerate(entries) if e.cls == cls] for cls in sorted({e.cls for e in entries})}
    lines: list[list[table.Cell]] = [
        [cls, len(of), *(fmean(scores[name][what][i] for i in of) for what in (0, 1) for name in names)]
        for cls, of in [*kinds.items(), ("all", list(range(len(entries))))]
    ]
    table.show(header, lines)
    print(f"\n{pages} pages; CER*: characters as a multiset, so that order plays no part; {machine(os.cpu_count())}")


def main() -> None:
    """Run the sides in turn; print."""
    parser = ArgumentParser(prog="python -m bench.speed", description="The engine rapidocr and RapidOCR as it comes.")
    corpus.arguments(parser)
    parser.add_argument("--pages", type=int, default=30, help="about so many pages, from each class in turn")
    parser.add_argument("--rounds", type=int, default=1, help="how often each side runs")
    parser.add_argument("--peers", action="store_true", help="tesseract and pymupdf4llm too, where they are installed")
    parser.add_argument("--out", type=Path, help="write the raw numbers there, as JSON")
    given = parser.parse_args()
    entries = corpus.mixed(corpus.load(given.folder, given.classes), given.pages)
    runs = [alone(side, entries) for _ in range(given.rounds) for side in sides(given.peers)]
    show(entries, runs)
    if given.out:
        given.out.write_text(json.dumps([asdict(r) for r in runs], indent=1) + "\n")


if __name__ == "__main__":
    main()
