"""CPU time and accuracy of the engine `rapidocr` and of other programs, on the same files in the same run.

`python -m bench.speed FOLDER [--class CLASS]... [--first N] [--pages N] [--rounds N] [--side SIDE]... [--peers]
[--at-once N] [--out FILE]`. Each side is a process that renders and reads the same pages; they run one after another.
CPU time is the user and system time of the whole process. It includes loading (imports, models, a first small page),
which is also shown separately. With `--at-once 2`, each side is two processes that share the documents, as two worker
children do. Side `ours` does all that a worker does for the text of a page: turn it upright, read it, and arrange its
lines; `ours f32` and `ours int8` are held to AVX-512 VNNI, so that they take the time that a processor without bf16
takes. `stock` is unchanged RapidOCR on ONNX Runtime with its own settings, but one thread. `--peers` adds tesseract,
OCRmyPDF, and pymupdf4llm with RapidOCR, if they are installed. Times are compared with those of the first side.
"""

import multiprocessing
import os
import resource
import shutil
import subprocess
import tempfile
import time
from argparse import ArgumentParser
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from importlib import import_module
from importlib.util import find_spec
from statistics import fmean, median
from typing import Any

from bench.languages import lang_of
from bench.support import corpus, raw, table
from bench.support.stack import machine
from ocrqueue.documents import PageImage
from ocrqueue.engines.rapidocr.weights import Precision

Read = Callable[[PageImage, str], str]  # a page and its language, as `--lang` takes it


@dataclass(frozen=True, slots=True)
class Run:
    """The CPU time of one side for all pages, and its texts."""

    side: str  # a key of `SIDES`
    load: float  # CPU seconds until the first page
    total: float  # CPU seconds of the whole process and its children
    seconds: list[float]  # CPU seconds of each document; the sides that end with each page are loaded for each
    texts: list[str]  # of each document
    wall: float = 0.0  # seconds from the start of its processes to the end of the last one


def ours(precision: Precision | None = None) -> Read:
    """The engine of OCR Queue, with the other work of a worker; in a given precision, as on processors without bf16."""
    if precision:
        os.environ["ONEDNN_MAX_CPU_ISA"] = "AVX512_CORE_VNNI"  # before OpenVINO is loaded
    from ocrqueue.engines.rapidocr.engine import RapidOcr
    from ocrqueue.layout import arrange
    from ocrqueue.limits import Limits
    from ocrqueue.options import Options
    from ocrqueue.pages import PageText
    from ocrqueue.process.memory import settle
    from ocrqueue.upright import upright

    engine = RapidOcr(precision)
    engine.load(engine.default_model())
    settle()  # like a worker child

    def read(page: PageImage, _: str) -> str:
        image = upright(page, Limits().max_pixels, "page").image
        (found,) = engine.read([image], Options())
        return arrange(found, image).plain if isinstance(found, PageText) else ""

    return read


def stock() -> Read:
    """RapidOCR with its own settings and one thread."""
    os.environ["OMP_NUM_THREADS"] = "1"
    import cv2
    import numpy as np
    from rapidocr import RapidOCR

    cv2.setNumThreads(1)
    threads = {f"EngineConfig.onnxruntime.{kind}_op_num_threads": 1 for kind in ("intra", "inter")}
    engine = RapidOCR(params={"Global.log_level": "error", **threads})
    engine(np.full((192, 256, 3), 255, np.uint8))

    def read(page: PageImage, _: str) -> str:
        found: Any = engine(np.asarray(page.image.convert("RGB"))[:, :, ::-1])
        return "\n".join(found.txts or ())

    return read


def tesseract() -> Read:
    """The program `tesseract`, told the language; one process and one thread per page."""
    return _of_image(lambda image, _, lang: ["tesseract", image, "-", "-l", lang, "--oem", "1"])


def ocrmypdf() -> Read:
    """The program `ocrmypdf`, told the language: the page's image to a searchable PDF; one process per page."""
    options = ["--jobs", "1", "--image-dpi", "200", "--output-type", "pdf", "--sidecar", "-"]
    return _of_image(lambda image, pdf, lang: ["ocrmypdf", *options, "-l", lang, image, pdf])


def _of_image(command: Callable[[str, str, str], list[str]]) -> Read:
    """A command of Tesseract's languages that is given the file of an image, and one for its PDF, and writes text."""
    from ocrqueue import languages
    from ocrqueue.engines.tesseract.data import scan
    from ocrqueue.engines.tesseract.settings import tesseract_settings

    data = scan(tesseract_settings().folder)

    def read(page: PageImage, lang: str) -> str:
        with tempfile.TemporaryDirectory() as folder:
            image, pdf = f"{folder}/page.png", f"{folder}/page.pdf"
            page.image.save(image, dpi=(200, 200))
            line = command(image, pdf, data.wanted(languages.parse(lang)))
            environment = os.environ | {"OMP_THREAD_LIMIT": "1"}
            return subprocess.run(line, env=environment, capture_output=True, text=True, check=False).stdout

    return read


def pymupdf4llm() -> Read:
    """pymupdf4llm with its RapidOCR, which reads the page as an image in a PDF."""
    os.environ["OMP_NUM_THREADS"] = "1"
    import pymupdf

    to_text = import_module("pymupdf4llm").to_text

    def read(page: PageImage, _: str) -> str:
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
    "ours f32": lambda: ours("f32"),
    "ours int8": lambda: ours("int8"),
    "tesseract": tesseract,
    "ocrmypdf": ocrmypdf,
    "pymupdf4llm": pymupdf4llm,
}


def peers() -> list[str]:
    """The names of the other programs that are installed."""
    found = {name: shutil.which(name) for name in ("tesseract", "ocrmypdf")} | {"pymupdf4llm": find_spec("pymupdf4llm")}
    return [name for name in found if found[name]]


def cpu_seconds() -> float:
    """The user and system time of this process and of its ended child processes, in seconds."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(u.ru_utime + u.ru_stime for u in used)


def run(side: str, entries: Sequence[corpus.Entry]) -> Run:
    """Read all pages with one side. Must be called in a new process."""
    from ocrqueue.documents import open_document
    from ocrqueue.limits import Limits

    read = SIDES[side]()
    load = cpu_seconds()
    texts, seconds = [], []
    for entry in entries:
        before = cpu_seconds()
        document = open_document(entry.file, Limits())
        pages = [read(document.render(n, None, 200), lang_of(entry)) for n in range(1, entry.pages + 1)]
        document.close()
        texts.append("\n".join(pages))
        seconds.append(cpu_seconds() - before)
    return Run(side, load, cpu_seconds(), seconds, texts)


def alone(side: str, entries: Sequence[corpus.Entry], at_once: int) -> Run:
    """Call `run` in new processes, which take the documents in turn. CPU times are those of all of them together."""
    started = time.monotonic()
    with ProcessPoolExecutor(at_once, multiprocessing.get_context("spawn")) as pool:
        parts = list(pool.map(run, [side] * at_once, [entries[i::at_once] for i in range(at_once)]))
    wall = time.monotonic() - started
    turns = [(parts[i % at_once], i // at_once) for i in range(len(entries))]
    return Run(
        side,
        fmean(part.load for part in parts),
        sum(part.total for part in parts),
        [part.seconds[i] for part, i in turns],
        [part.texts[i] for part, i in turns],
        wall,
    )


def accuracy(entries: Sequence[corpus.Entry], texts: Sequence[str]) -> tuple[list[float], list[float]]:
    """The CER without order and the word F1 of each document."""
    pairs = list(zip(entries, texts, strict=True))
    return [entry.cer(text, in_order=False) for entry, text in pairs], [entry.word_f1(text) for entry, text in pairs]


def show(entries: Sequence[corpus.Entry], runs: Sequence[Run]) -> None:
    """Print the tables."""
    pages = sum(e.pages for e in entries)
    names = list(dict.fromkeys(r.side for r in runs))
    base = median(r.total for r in runs if r.side == names[0])
    rows: list[list[table.Cell]] = []
    for name in names:
        totals = [r.total for r in runs if r.side == name]
        load = median(r.load for r in runs if r.side == name)
        walls = [r.wall for r in runs if r.side == name]
        each = [" ".join(f"{t:.1f}" for t in values) for values in (totals, walls)]
        rows.append([name, median(totals) / pages, load, median(totals) / base, median(walls) / pages, *each])
    table.show(
        ("side", "CPU s/page", "to load, s", f"times {names[0]}", "wall s/page", "CPU s of each run", "wall s"), rows
    )
    scores = {r.side: accuracy(entries, r.texts) for r in runs}
    header = ["class", "files"] + [f"{what} {name}" for what in ("CER*", "word F1") for name in names]
    kinds = {cls: [i for i, e in enumerate(entries) if e.cls == cls] for cls in sorted({e.cls for e in entries})}
    lines: list[list[table.Cell]] = [
        [cls, len(of), *(fmean(scores[name][what][i] for i in of) for what in (0, 1) for name in names)]
        for cls, of in [*kinds.items(), ("all", list(range(len(entries))))]
    ]
    table.show(header, lines)
    costs = {name: [r.seconds for r in runs if r.side == name] for name in names}
    by_class = {
        cls: [
            median(sum(run[i] for i in of) for run in costs[name]) / sum(entries[i].pages for i in of) for name in names
        ]
        for cls, of in kinds.items()
    }
    times: list[list[table.Cell]] = [[cls, *cost] for cls, cost in by_class.items()]
    table.show(["class", *(f"CPU s/page {name}" for name in names)], times)
    hours: list[list[table.Cell]] = [
        [cls, *(round(seconds * 1e6 / 3600) for seconds in cost)] for cls, cost in by_class.items()
    ]
    table.show(["class", *(f"CPU h/million pages {name}" for name in names)], hours)
    print(f"\n{pages} pages; CER*: of characters as a multiset, without order; {machine()}")


def main() -> None:
    """Run the sides one after another and print."""
    parser = ArgumentParser(prog="python -m bench.speed", description="The engine rapidocr and other programs.")
    corpus.arguments(parser)
    parser.add_argument("--first", type=int, default=10**6, metavar="N", help="the first N pages of each document")
    parser.add_argument("--pages", type=int, default=30, help="at most N pages, from each class in turn")
    parser.add_argument("--rounds", type=int, default=1, help="number of runs of each side")
    parser.add_argument("--at-once", type=int, default=1, help="processes of each side (default 1)")
    parser.add_argument("--side", action="append", choices=SIDES, help="this side (repeatable; default stock and ours)")
    parser.add_argument("--peers", action="store_true", help="also the other programs, those that are installed")
    raw.add_option(parser)
    given = parser.parse_args()
    documents = [entry.first(given.first) for entry in corpus.load(given.folder, given.classes)]
    entries = corpus.mixed(documents, given.pages)
    names = dict.fromkeys([*(given.side or ("stock", "ours")), *(peers() if given.peers else ())])
    runs = [alone(side, entries, given.at_once) for _ in range(given.rounds) for side in names]
    show(entries, runs)
    raw.write(given.out, [asdict(r) for r in runs])


if __name__ == "__main__":
    main()
