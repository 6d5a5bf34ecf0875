"""Accuracy by language: `rapidocr`, `tesseract` that is told the language, and `auto` with and without `--lang`.

`python -m bench.languages FOLDER... --scores FILE [--pages N] [--reading NAME]... [--write]`. Each FOLDER has a
manifest.json; `bench.guide_scans` makes one. Of each document, the first page is read. FILE receives a line for each
page and engine, and what it has already is not read again.

Of every language, every second page (the first, the third, ...) decides which engine `auto` takes; the others check it.
Without `--lang`, `auto` reads with `rapidocr`, and what that reads poorly with `tesseract`, too, as workers do it.
`--write` writes all pages' scores into the table that `auto` uses, `ocrqueue/engines/languages.json`.
"""

import json
import re
import time
from argparse import ArgumentParser
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from statistics import fmean

from bench.support import corpus, scoring, table
from ocrqueue import languages
from ocrqueue.documents import open_document
from ocrqueue.engines import ENGINES, Engine, engine_class
from ocrqueue.engines.best import FILE, best_engine
from ocrqueue.errors import PageError
from ocrqueue.layout import arrange
from ocrqueue.limits import Limits
from ocrqueue.options import Options
from ocrqueue.pages import READ_AGAIN, PageText
from ocrqueue.quality import language_in, quality_of
from ocrqueue.quality.signals import signals_of
from ocrqueue.upright import upright

COMPARED = ("rapidocr", "tesseract")
UNTOLD = "auto without --lang"
READINGS = (*COMPARED, UNTOLD)
NOT_READ = (
    "rotated",
    "format",
    "mixed",
    "born-digital",
)  # classes: copies of other pages, and mixed languages
HEADER = ("language", "pages", *(f"{what} {reading}" for what in ("word F1", "CER") for reading in READINGS),
          "pages to check", "word F1 auto", "best engine", "taken")  # fmt: skip


@dataclass(frozen=True, slots=True)
class Sample:
    """The first page of a document."""

    entry: corpus.Entry
    lang: str  # as `--lang` takes it
    decides: bool  # whether it is one of the pages that decide


@dataclass(frozen=True, slots=True)
class Score:
    """How an engine read a page."""

    lang: str
    file: str
    engine: str  # one of READINGS
    decides: bool
    f1: float
    cer: float
    seconds: float  # of processor time, rendering included; without those of a reading that was measured just before


def samples(entries: Sequence[corpus.Entry], limit: int) -> list[Sample]:
    """At most `limit` pages of each language, from all classes in turn."""
    by_lang: dict[str, list[corpus.Entry]] = defaultdict(list)
    for entry in corpus.mixed([e for e in entries if e.cls not in NOT_READ], 10_000):
        by_lang["+".join(languages.parse(lang_of(entry)))].append(entry)
    return [
        Sample(entry, lang, number % 2 == 0)
        for lang, found in sorted(by_lang.items())
        for number, entry in enumerate(found[:limit])
    ]


def lang_of(entry: corpus.Entry) -> str:
    """The languages of a document as `--lang` takes them."""
    given = re.sub("de-Fraktur", "de-Latf", entry.lang.partition("/")[0])
    return given.replace(",", "+")


class Readers:
    """The engines, each loaded when it first reads."""

    def __init__(self) -> None:
        self._loaded: dict[str, Engine] = {}
        self._last: tuple[Path, PageText, float | None] | None = None  # what `rapidocr` has read last

    def score(self, sample: Sample, reading: str) -> Score:
        """Read a page as a worker does, and score it."""
        entry = sample.entry
        started = time.process_time()
        text = (self._untold(entry) if reading == UNTOLD else self._read(entry, reading, sample.lang)[0]).plain
        seconds = time.process_time() - started
        truth = entry.truth.read_text().partition("\f")[0]
        rules = {"lang": entry.lang, "ignore_case": entry.ignores_case}
        f1 = scoring.word_f1(text, truth, **rules)  # type: ignore[arg-type]
        cer = scoring.cer(text, truth, **rules, in_order=not entry.is_bag)  # type: ignore[arg-type]
        return Score(sample.lang, entry.file.name, reading, sample.decides, f1, cer, seconds)

    def _untold(self, entry: corpus.Entry) -> PageText:
        """The better reading of a page whose language nobody says, as workers choose it."""
        last = self._last
        first, quality = last[1:] if last and last[0] == entry.file else self._read(entry, "rapidocr", None)
        if quality is None or quality >= READ_AGAIN:
            return first
        second, better = self._read(entry, "tesseract", language_in(signals_of(first)))
        return second if (better or 0) > quality else first

    def _read(self, entry: corpus.Entry, name: str, lang: str | None) -> tuple[PageText, float | None]:
        """The first page of a document in reading order, and its quality. `rapidocr` reads alike in all languages."""
        if name not in self._loaded:
            engine = engine_class(ENGINES[name])()
            engine.load(engine.default_model())
            self._loaded[name] = engine
        engine = self._loaded[name]
        with closing(open_document(entry.file, Limits())) as document:
            image = upright(document.render(1, None, engine.dpi), Limits().max_pixels, entry.file.name).image
        (found,) = engine.read([image], Options(lang=lang if name == "tesseract" else None))
        if isinstance(found, PageError):
            raise SystemExit(f"{entry.file.name}: {found.code}: {found.message}")
        text, quality = arrange(found, image), quality_of(found, name)
        if name == "rapidocr":
            self._last = entry.file, text, quality
        return text, quality


def scores(wanted: Sequence[Sample], readings: Sequence[str], file: Path) -> Iterator[Score]:
    """The score of each page and reading; those that are not in the file are measured and added to it."""
    known = {}
    for line in file.read_text().splitlines() if file.exists() else ():
        score = Score(**json.loads(line))
        known[score.engine, score.file] = score
    readers = Readers()
    for sample in wanted:
        for reading in readings:
            if found := known.get((reading, sample.entry.file.name)):
                yield found
                continue
            score = readers.score(sample, reading)
            with file.open("a") as stream:
                stream.write(json.dumps(asdict(score)) + "\n")
            yield score


Table = dict[str, dict[str, float]]  # language -> engine -> mean word F1


def table_of(found: Sequence[Score]) -> Table:
    """The mean word F1 of each single language and engine."""
    by_lang: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for score in found:
        if "+" not in score.lang and score.engine in COMPARED:
            by_lang[score.lang][score.engine].append(score.f1)
    means = {lang: {name: fmean(f1) for name, f1 in by.items()} for lang, by in by_lang.items()}
    return {lang: {name: round(mean[name], 3) for name in sorted(mean)} for lang, mean in sorted(means.items())}


def row(lang: str, found: Sequence[Score], decided: Table) -> list[table.Cell]:
    """The table row of a language."""
    mine = [s for s in found if s.lang == lang]
    means = [fmean([getattr(s, f) for s in mine if s.engine == r] or [0.0]) for f in ("f1", "cer") for r in READINGS]
    engines = {name: engine_class(ENGINES[name])() for name in COMPARED}
    reads = {name: frozenset(engine.languages()) for name, engine in engines.items()}
    taken = best_engine(lang.split("+"), reads, decided) or "-"
    check = {e: [s.f1 for s in mine if s.engine == e and not s.decides] for e in COMPARED}
    count = len(check[COMPARED[0]])
    f1 = {name: fmean(values) for name, values in check.items() if values}
    pages = len([s for s in mine if s.engine == COMPARED[0]])
    return [lang, pages, *means, count, f1.get(taken, 0.0), max(f1.values(), default=0.0), taken]


def write(found: Sequence[Score]) -> None:
    """Write the table that `auto` uses."""
    about = {
        "about": "mean word F1 by language, measured by bench/languages.py; `auto` with --lang takes the best engine",
        "engines": {"rapidocr": version("rapidocr"), "tesseract": f"tesserocr {version('tesserocr')}"},
        "pages": len({score.file for score in found if "+" not in score.lang}),
        "word_f1": table_of(found),
    }
    FILE.write_text(json.dumps(about, indent=1) + "\n")


def main() -> None:
    """Read, score and print."""
    parser = ArgumentParser(prog="python -m bench.languages", description="Accuracy of the engines by language.")
    parser.add_argument("folders", type=Path, nargs="+", metavar="FOLDER", help="folders with a manifest.json")
    parser.add_argument("--scores", type=Path, required=True, metavar="FILE", help="the scores, one on each line")
    parser.add_argument("--pages", type=int, default=4, help="pages of each language in a folder (default 4)")
    parser.add_argument("--reading", action="append", choices=READINGS, help="measure only this one (repeatable)")
    parser.add_argument("--write", action="store_true", help="write the table that auto uses")
    given = parser.parse_args()
    wanted = [sample for folder in given.folders for sample in samples(corpus.load(folder), given.pages)]
    found = list(scores(wanted, given.reading or READINGS, given.scores))
    if given.write:
        write(found)
    decided = table_of(
        [score for score in found if score.decides and "+" not in score.lang and score.engine in COMPARED]
    )
    table.show(HEADER, [row(lang, found, decided) for lang in sorted({score.lang for score in found})])
    for name in COMPARED:
        mine = [score.seconds for score in found if score.engine == name]
        print(
            f"\n{name}: {fmean(mine):.2f} CPU seconds a page, {len(mine)} pages" if mine else f"\n{name}: nothing read"
        )


if __name__ == "__main__":
    main()
