"""False alarms of the runaway detection on texts of real pages: `python -m bench.runaways FOLDER...`.

Reads text files (.txt, .md, .html), the text of PDF pages, and tables in the XML of the ICDAR 2013 table competition,
which become Markdown and HTML. Each text is given to the detection in three ways: by characters, by words, and by the
tokens of the tiny model, as far as a model would have written it. Prints every alarm; there should be none.
"""

import re
from argparse import ArgumentParser
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree as ET

from ocrqueue.engines.mlx.runaway import RunawayGuard, numbered_loop
from tests.support import tiny

STEP = 400  # characters between two searches for repetitions with changing numbers


def texts_of(path: Path) -> Iterator[tuple[str, str]]:
    """The texts of a file, each with a name."""
    if path.suffix in (".txt", ".md", ".html"):
        yield path.name, path.read_text(errors="replace")
    elif path.name.endswith("-str.xml"):
        for number, table in enumerate(ET.parse(path).iter("table"), 1):  # noqa: S314 -- the user's own files
            rows = _rows(table)
            yield f"{path.name} table {number}", "\n".join("| " + " | ".join(row) + " |" for row in rows)
            html = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
            yield f"{path.name} table {number} as HTML", f"<table>{html}</table>"
    elif path.suffix == ".pdf":
        from ocrqueue.documents.pdf.mupdf import pymupdf

        with pymupdf.open(path) as document:
            for number, page in enumerate(document, 1):
                yield f"{path.name} page {number}", re.sub(" +", " ", page.get_text())  # models write single blanks


def _rows(table: ET.Element) -> list[list[str]]:
    cells = {
        (int(cell.get("start-row", 0)), int(cell.get("start-col", 0))): (cell.findtext("content") or "").strip()
        for cell in table.iter("cell")
    }
    height, width = (1 + max(place[side] for place in cells) for side in (0, 1))
    return [[cells.get((row, column), "") for column in range(width)] for row in range(height)]


def alarms(text: str) -> Iterator[str]:
    """What the detection finds in a text."""
    import tokenizers

    tokenizer = tokenizers.Tokenizer.from_file(str(tiny.FOLDER / "tokenizer.json"))
    words = [hash(found[0]) for found in re.finditer(r"\w+|\s+|(.)\1*", text)]
    for kind, tokens in (
        ("characters", list(map(ord, text))),
        ("words", words),
        ("tokens", tokenizer.encode(text).ids),
    ):
        guard = RunawayGuard()
        if any(map(guard.is_runaway, tokens)):
            yield f"{kind}: {guard.loop()}"
    ends = range(STEP, len(text) + STEP, STEP)
    yield from (f"numbers: {loop}" for end in ends if (loop := numbered_loop(text[:end])))


def main() -> None:
    """Check all files of the folders."""
    parser = ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("folders", nargs="+", type=Path, metavar="FOLDER")
    count = found = 0
    for folder in parser.parse_args().folders:
        for path in sorted(folder.rglob("*.*")):
            for name, text in texts_of(path):
                count += 1
                for alarm in alarms(text):
                    found += 1
                    print(f"{name}: {alarm}")
    print(f"{count} texts, {found} false alarms")


if __name__ == "__main__":
    main()
