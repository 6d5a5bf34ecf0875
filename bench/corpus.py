"""A folder of documents with their true texts: `manifest.json` has a row for each.

A row names `file` and `truth` (paths in the folder; pages of the truth are parted by form feeds), `cls` (the class of
document), `lang`, `pages` and `order`: `reading`, `layer`, or `bag` where the order means nothing.
"""

import json
from argparse import ArgumentParser
from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Entry:
    """One document of the folder."""

    file: Path
    truth: Path
    cls: str  # class of document, such as "scan" or "receipt"
    lang: str  # such as "de" or "de-Fraktur"
    pages: int
    order: str  # "reading", "layer" or "bag"

    @property
    def ignores_case(self) -> bool:
        """The truth of receipts is in capitals, whatever is printed."""
        return "receipt" in (self.cls, *self.file.stem.replace("receipts", "receipt").split("_"))

    @property
    def is_bag(self) -> bool:
        """Whether the order of its text means nothing."""
        return self.order == "bag"


def arguments(parser: ArgumentParser) -> None:
    """What every script that reads such a folder takes."""
    parser.add_argument("folder", type=Path, help="a folder with a manifest.json")
    parser.add_argument("--class", dest="classes", action="append", default=[], metavar="CLASS", help="only this class")


def load(folder: Path, classes: Collection[str] = (), limit: int | None = None) -> list[Entry]:
    """The documents of the folder, of some classes, at most `limit`. Exits with a line where there are none."""
    try:
        rows = json.loads((folder / "manifest.json").read_text())
    except OSError as e:
        raise SystemExit(f"{folder / 'manifest.json'}: {e.strerror}; name a folder with a manifest.json") from e
    entries = [
        Entry(folder / r["file"], folder / r["truth"], r["cls"], r["lang"], r["pages"], r["order"])
        for r in rows
        if not classes or r["cls"] in classes
    ]
    if not entries:
        raise SystemExit(f"no document of {', '.join(classes)} in {folder}; classes: {_classes(rows)}")
    return entries[:limit]


def mixed(entries: Iterable[Entry], pages: int) -> list[Entry]:
    """Documents of so many pages in all or a few less, taken from each class in turn; always the same ones."""
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
