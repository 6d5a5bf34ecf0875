"""Which engine reads a language best, by what workers announce and what `bench/languages.py` measured."""

import json
from collections.abc import Collection, Iterable, Mapping
from functools import cache
from pathlib import Path
from statistics import fmean

from ocrqueue import languages
from ocrqueue.engines import POOR_PAGES
from ocrqueue.engines.tesseract.data import advice, file_of
from ocrqueue.errors import DocumentError
from ocrqueue.ledger.workers import Worker

FILE = Path(__file__).with_name("languages.json")
Reads = Mapping[str, Collection[str] | None]  # by engine: the names of the languages that it reads; None: not known
Table = Mapping[str, Mapping[str, float]]  # word F1 by language and engine


def for_poor_pages(workers: Iterable[Worker]) -> frozenset[str]:
    """The served engines that every worker serves for poorly read pages only, see `ocrqueue.engines.pages_of`."""
    found: dict[str, bool] = {}
    for worker in workers:
        for name, about in worker.engines.items():
            found[name] = found.get(name, True) and about.get("pages") == POOR_PAGES
    return frozenset(name for name, is_poor in found.items() if is_poor)


def announced(workers: Iterable[Worker]) -> dict[str, frozenset[str] | None]:
    """The languages that each served engine reads in all workers that say so: any of them may get a page."""
    found: dict[str, frozenset[str] | None] = {}
    for worker in workers:
        for name, about in worker.engines.items():
            before = found.setdefault(name, None)
            if (listed := about.get("languages")) is not None:
                found[name] = frozenset(listed) if before is None else before & frozenset(listed)
    return found


def reads_all(reads: Collection[str] | None, names: Iterable[str]) -> bool:
    """Whether an engine that reads these languages reads all of `names`, perhaps by what it has for their script."""
    return reads is None or all(name in reads or f"und-{languages.script_of(name)}" in reads for name in names)


def best_engine(
    names: Collection[str], reads: Reads, table: Table | None = None, poor: Collection[str] = ()
) -> str | None:
    """The engine that reads the languages `names` best; None if none of `reads` reads them.

    A vision-language model comes first, as without a language: it was chosen by the operator, and was not measured.
    Then come the engines with a measurement, those that announce these languages, and then the others. Those in `poor`
    (see `for_poor_pages`) come last.
    """
    readers = [name for name, read in reads.items() if reads_all(read, names)]
    fitting = [name for name in readers if name not in poor] or readers
    if "mlx-vlm" in fitting:
        return "mlx-vlm"
    measured = measurements() if table is None else table
    return max(sorted(fitting), key=lambda name: (_score(name, names, measured), reads[name] is not None), default=None)


def missing(
    names: Collection[str], reads: Reads, served: Reads | None = None, poor: Collection[str] = ()
) -> DocumentError:
    """The error for languages that the engines `reads` of a job's options do not read.

    It names the engine of all that are `served` that reads them, those in `poor` last, or else what to install.
    """
    wanted, served = ", ".join(names), served or reads
    if other := best_engine(names, served, poor=poor):
        text = (
            f"{', '.join(sorted(reads))} cannot read {wanted}, but {other} can, which is served: leave engine and "
            f"model out, or name {other} instead"
        )
        return DocumentError(text, "language_missing")
    unread = [name for name in names if not any(reads_all(read, [name]) for read in served.values())]
    what, unread = ", ".join(unread) or f"{wanted} together", unread or list(names)
    installs = "tesseract" not in served and all(map(file_of, unread))
    also = "`make setup TESSERACT=1`, serve the engine tesseract, and " if installs else ""
    listed = ", ".join(sorted(served)) or "no engine"
    return DocumentError(
        f"no served engine reads {what} (served: {listed}; see `submit.py engines`): {also}{advice(unread)}",
        "language_missing",
    )


@cache
def measurements() -> Table:
    """The table in the package: word F1 by language and engine."""
    found: Table = json.loads(FILE.read_text("utf-8"))["word_f1"]
    return found


def _score(engine: str, names: Collection[str], table: Table) -> float:
    """The mean word F1 of an engine over some languages, 0 if it was not measured.

    A language without a measurement counts as the mean of the languages in its script.
    """
    return fmean(_of_language(engine, name, table) for name in names)


def _of_language(engine: str, name: str, table: Table) -> float:
    if name in table:
        return table[name].get(engine, 0.0)
    script = languages.script_of(name)
    alike = [row[engine] for other, row in table.items() if engine in row and languages.script_of(other) == script]
    return fmean(alike) if alike else 0.0
