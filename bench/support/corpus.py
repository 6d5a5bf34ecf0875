"""A folder of documents with their true texts. Its `manifest.json` is a list with one object per document.

Keys: `file` and `truth` (paths in the folder; a form feed separates pages of the truth), `cls` (class of document),
`lang` (language), `pages` (number of pages) and `order` (order of the truth): `reading`, `layer`, or `bag` for none.
"""

import json
from argparse import ArgumentParser
from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from bench.support import scoring


@dataclass(frozen=True, slots=True)
class Entry:
    """One document of the folder."""

    file: Path  # the document
    truth: Path  # its text
    cls: str  # class of document, such as "scan" or "receipt"
    lang: str  # such as "de" or "de-Fraktur"
    pages: int  # number of pages, or how many of them are read, from the first on
    order: str  # "reading", "layer" or "bag"

    @property
    def ignores_case(self) -> bool:
        """Whether case is ignored: the truth of receipts is in capitals only."""
        return "receipt" in (self.cls, *self.file.stem.replace("receipts", "receipt").split("_"))

    @property
    def is_bag(self) -> bool:
        """Whether the truth has no order."""
        return self.order == "bag"

    @property
    def text(self) -> str:
        """The true text of its first `pages` pages."""
        return "\n".join(self.truth.read_text().split("\f")[: self.pages])

    def cer(self, text: str, *, in_order: bool = True) -> float:
        """The character error rate of a text that was read from this document; see `scoring.cer`."""
        return scoring.cer(text, self.text, self.lang, ignore_case=self.ignores_case, in_order=in_order)

    def word_f1(self, text: str) -> float:
        """The word F1 of a text that was read from this document; see `scoring.word_f1`."""
        return scoring.word_f1(text, self.text, self.lang, ignore_case=self.ignores_case)

    def first(self, pages: int) -> "Entry":
        """This document with at most so many of its first pages."""
        return replace(self, pages=min(pages, self.pages))


def arguments(parser: ArgumentParser) -> None:
    """Add the arguments of all scripts that read such a folder."""
    parser.add_argument("folder", type=Path, help="a folder with a manifest.json")
    parser.add_argument(
        "--class",
        dest="classes",
        action="append",
        default=[],
        metavar="CLASS",
        help="only documents of CLASS (repeatable)",
    )


def load(folder: Path, classes: Collection[str] = (), limit: int | None = None) -> list[Entry]:
    """The first `limit` documents of these classes (none given: all). Ends the program if there are none."""
    try:
        rows = json.loads((folder / "manifest.json").read_text())
    except OSError as e:
        raise SystemExit(f"{folder / 'manifest.json'}: {e.strerror}; give a folder with a manifest.json") from e
    entries = [
        Entry(folder / r["file"], folder / r["truth"], r["cls"], r["lang"], r["pages"], r["order"])
        for r in rows
        if not classes or r["cls"] in classes
    ]
    if not entries:
        raise SystemExit(f"no document of {', '.join(classes)} in {folder}; classes: {_classes(rows)}")
    return entries[:limit]


def mixed(entries: Iterable[Entry], pages: int) -> list[Entry]:
    """Documents with at most `pages` pages together, taken from each class in turn; always the same ones."""
    by_class: dict[str, list[Entry]] = defaultdict(list)
    for entry in entries:
        by_class[entry.cls].append(entry)
    chosen: list[Entry] = []
    while by_class:
        for cls in sorted(by_class):
            entry = by_class[cls].pop(0)
            if sum(e.pages for e in chosen) + entry.pages <= pages:
                chosen.append(entry)
            if not by_class[cls]:
                del by_class[cls]
    return chosen


def _classes(rows: Iterable[dict[str, str]]) -> str:
    return ", ".join(sorted({row["cls"] for row in rows}))
