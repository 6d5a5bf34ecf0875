"""The bare engine: plain processes that read pages with the same engine, without Celery and without Redis.

`python -m bench.bare FOLDER [--class CLASS]... [--pages N] [--processes N]`. Each process loads the engine once. It
takes a page from a shared list, reads the file from disk, renders the page, turns it upright, reads it, and writes the
same page file as a worker, synced to disk.
"""

import multiprocessing
import tempfile
import time
from argparse import ArgumentParser
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from multiprocessing.synchronize import Barrier
from pathlib import Path
from uuid import NAMESPACE_URL, uuid5

from bench.support import corpus, table
from bench.support.engine import rapidocr
from ocrqueue.documents import Document, PageImage, open_document
from ocrqueue.errors import OcrError, PageError
from ocrqueue.layout import arrange
from ocrqueue.limits import Limits
from ocrqueue.options import Options
from ocrqueue.pages import PageText
from ocrqueue.process.memory import memory_now, settle
from ocrqueue.steps.read import facts_of
from ocrqueue.storage.results import page_result
from ocrqueue.storage.spool import JOB, Spool
from ocrqueue.upright import upright

LOAD_SECONDS = 300  # how long to wait until all processes have loaded their model
OPTIONS = Options()


@dataclass(frozen=True, slots=True)
class Page:
    """One page to read."""

    file: Path
    number: int  # from 1

    @property
    def job(self) -> str:
        """The id of the job whose spool folder receives the result."""
        return job_of(self.file)


@dataclass(frozen=True, slots=True)
class Run:
    """The result of one run."""

    pages: int  # read and stored
    seconds: float  # from the first page to the last, without loading models


def job_of(file: Path) -> str:
    """A job id made from the path of a file, because the spool accepts only ids."""
    return str(uuid5(NAMESPACE_URL, file.absolute().as_uri()))


class Reader:
    """The state of one process: an engine with its model, the document it read last, the spool."""

    def __init__(self, spool: Path) -> None:
        self._engine, self._model = rapidocr()
        settle()  # like a worker child
        self._spool = Spool(str(spool))
        self._limits = Limits()
        self._file: Path | None = None
        self._document: Document | None = None

    def read(self, page: Page) -> bool:
        """Read a page and store it. Returns False if it cannot be read."""
        try:
            rendered = self._open(page.file).render(page.number, None, self._engine.dpi)
        except OcrError:
            return False
        image = upright(rendered, self._limits.max_pixels, f"{page.file.name} page={page.number}")
        started = time.monotonic()
        (text,) = self._engine.read([image.image], OPTIONS)
        if isinstance(text, PageError):
            return False
        self._store(page, image, text, time.monotonic() - started)
        return True

    def _open(self, file: Path) -> Document:
        """The document of a file. It stays open for the next page of the same file, as in any plain program."""
        if file != self._file or self._document is None:
            if self._document is not None:
                self._document.close()
                self._document = None
            self._document = open_document(file, self._limits)
            self._file = file
        return self._document

    def _store(self, page: Page, image: PageImage, text: PageText, seconds: float) -> None:
        facts = replace(
            facts_of(image),
            origin="ocr",
            engine=self._engine.name,
            model=self._model.name,
            revision=self._model.revision,
            seconds=seconds,
            memory=memory_now(),
        )
        self._spool.write_page(page.job, page.number, page_result(page.number, arrange(text, image.image), facts))


_reader: Reader | None = None  # of this process


def _start(spool: Path, loaded: Barrier) -> None:
    global _reader
    _reader = Reader(spool)
    loaded.wait(LOAD_SECONDS)


def _read(page: Page) -> bool:
    assert _reader is not None
    return _reader.read(page)


def pages_of(entries: Sequence[corpus.Entry]) -> list[Page]:
    """All pages of the documents, in order."""
    return [Page(entry.file, number) for entry in entries for number in range(1, entry.pages + 1)]


def run(pages: Sequence[Page], spool: Path, processes: int) -> Run:
    """Read the pages with so many processes. The time begins when every process has loaded its model."""
    store = Spool(str(spool))
    store.prepare()
    for page in pages:
        store.write_json(page.job, JOB, {"name": page.file.name})  # creates the folder
    context = multiprocessing.get_context("spawn")
    arguments = (spool, context.Barrier(processes))
    with ProcessPoolExecutor(processes, context, _start, arguments) as pool:
        list(pool.map(int, range(processes)))  # starts all processes and waits until they have loaded
        started = time.monotonic()
        done = list(pool.map(_read, pages))
        seconds = time.monotonic() - started
    return Run(sum(done), seconds)


def main() -> None:
    """Read some pages of a folder and print the speed."""
    parser = ArgumentParser(prog="python -m bench.bare", description="Throughput of the engine without the queue.")
    corpus.arguments(parser)
    parser.add_argument("--pages", type=int, default=28, help="at most N pages, of all classes (default 28)")
    parser.add_argument("--processes", type=int, default=2, help="default 2")
    given = parser.parse_args()
    pages = pages_of(corpus.mixed(corpus.load(given.folder, given.classes), given.pages))
    with tempfile.TemporaryDirectory(prefix="ocr-bench-") as folder:
        result = run(pages, Path(folder) / "spool", given.processes)
    row = (given.processes, result.pages, len(pages) - result.pages, result.seconds, result.pages / result.seconds)
    table.show(("processes", "pages", "failed", "seconds", "pages/s"), [row])


if __name__ == "__main__":
    main()
