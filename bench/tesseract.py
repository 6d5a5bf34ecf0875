"""The engine `tesseract` in a process beside the `tesseract` command on the same files: processor time, memory, text.

`python -m bench.tesseract FOLDER [--class CLASS]... [--limit N]`. FOLDER has a manifest.json; its image files of one
page are read. The process loads the languages once and reads one file after the other, as a worker child does; the
command starts for each file. Both use one thread and the same languages of the same data.
"""

import multiprocessing
import os
import resource
import subprocess
from argparse import ArgumentParser
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from PIL import Image

from bench.languages import lang_of
from bench.support import corpus, raw, table
from bench.support.stack import machine
from ocrqueue import languages
from ocrqueue.engines.tesseract.data import scan
from ocrqueue.engines.tesseract.engine import Tesseract
from ocrqueue.engines.tesseract.settings import tesseract_settings
from ocrqueue.errors import PageError
from ocrqueue.options import Options

HEADER = ("side", "files", "CPU s a file", "peak memory, MB", "word F1")


@dataclass(frozen=True, slots=True)
class Side:
    """What one side took."""

    name: str
    seconds: list[float]  # of processor time for each file; the engine's first one includes loading
    peak: int  # resident memory, bytes
    f1: list[float]  # word F1 of each file

    def row(self) -> list[table.Cell]:
        """The table row."""
        return [self.name, len(self.seconds), fmean(self.seconds), self.peak // 2**20, fmean(self.f1)]


def by_engine(entries: Sequence[corpus.Entry]) -> Side:
    """Read the files in this process, which has done nothing else."""
    engine = Tesseract()
    seconds: list[float] = []
    f1: list[float] = []
    for entry in entries:
        before = _used(resource.RUSAGE_SELF)
        if not seconds:
            engine.load(engine.default_model())
        with Image.open(entry.file) as file:
            (found,) = engine.read([file.convert("RGB")], Options(lang=lang_of(entry)))
        seconds.append(_used(resource.RUSAGE_SELF) - before)
        if isinstance(found, PageError):
            raise SystemExit(f"{entry.file.name}: {found.code}: {found.message}")
        f1.append(entry.word_f1(found.plain))
    return Side("engine", seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024, f1)


def by_command(entries: Sequence[corpus.Entry]) -> Side:
    """Read each file with the `tesseract` command."""
    settings = tesseract_settings()
    seconds: list[float] = []
    f1: list[float] = []
    data = scan(settings.folder)
    env = {**os.environ, "OMP_THREAD_LIMIT": "1"}
    for entry in entries:
        wanted = data.wanted(languages.parse(lang_of(entry)))
        command = ["tesseract", str(entry.file), "-", "-l", wanted, "--tessdata-dir", str(settings.folder)]
        before = _used(resource.RUSAGE_CHILDREN)
        done = subprocess.run([*command, "--oem", "1"], env=env, capture_output=True, text=True, check=True)
        seconds.append(_used(resource.RUSAGE_CHILDREN) - before)
        f1.append(entry.word_f1(done.stdout))
    return Side("command", seconds, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024, f1)


def _used(who: int) -> float:
    used = resource.getrusage(who)
    return used.ru_utime + used.ru_stime


def main() -> None:
    """Measure both sides, each in a process of its own, and print."""
    parser = ArgumentParser(prog="python -m bench.tesseract", description="The engine beside the command.")
    corpus.arguments(parser)
    parser.add_argument("--limit", type=int, default=20, help="only the first documents (default 20)")
    raw.add_option(parser)
    given = parser.parse_args()
    entries = [e for e in corpus.load(given.folder, given.classes) if e.pages == 1][: given.limit]
    context = multiprocessing.get_context("spawn")
    sides = []
    for read in (by_engine, by_command):
        with context.Pool(1) as pool:
            sides.append(pool.apply(read, (entries,)))
    table.show(HEADER, [side.row() for side in sides])
    first, second = (fmean(side.seconds) for side in sides)
    print(f"\nratio of processor time {first / second:.2f}; {machine()}")
    raw.write(given.out, [[side.name, side.seconds, side.peak, side.f1] for side in sides])


if __name__ == "__main__":
    main()
