"""CPU and memory of the structure of pages, and of Markdown of a long document.

`python -m bench.structure_costs OUT FOLDER [--pages N] [--long N]`. OUT holds the results that `bench.structure --keep
OUT` wrote, FOLDER the documents. One process finds the blocks of N pages, all documents in turn; its CPU time and
memory are those of the structure step, since the text is there. Another one writes Markdown and text of a document of
many pages, made of the pages of the results.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from argparse import ArgumentParser
from collections.abc import Iterator
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import psutil

from bench.structure import files_of
from bench.support import table
from bench.support.stack import machine
from ocrqueue.pages import Line, PageText
from ocrqueue.states import Origin
from ocrqueue.storage.results import PageFacts

MB = 2**20


def pages_in(out: Path, folder: Path, name: str) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Each page of a set that was read, with its document."""
    for file in files_of(folder, name):
        for page in json.loads((out / "ours" / name / f"{file.stem}.json").read_text(encoding="utf-8"))["pages"]:
            yield file, page


def text_of(page: dict[str, Any]) -> PageText:
    """The text of a page of a result, without blocks."""
    lines = []
    for line in page["lines"]:
        a, b, c, d = ((x, y) for x, y in line["box"])
        lines.append(Line(line["text"], (a, b, c, d), line["confidence"], line["origin"]))
    return PageText(lines, page["text"], page["markdown"])


def facts_of(page: dict[str, Any]) -> PageFacts:
    """Size and position of a page of a result."""
    a, b, c, d, e, f = page["transform"]
    return PageFacts(page["width"], page["height"], page["dpi"], page["rotation"], (a, b, c, d, e, f), page["origin"])


def structure(out: Path, folder: Path, count: int) -> None:
    """Find the blocks of so many pages, and print a row for each set."""
    from ocrqueue.documents import open_document
    from ocrqueue.limits import Limits
    from ocrqueue.structure import find_blocks
    from ocrqueue.upright import upright

    process = psutil.Process()
    rows: list[list[table.Cell]] = []
    before = first = last = 0.0
    for name in (name for name in ("made", "eu", "scan") if (out / "ours" / name).is_dir()):
        pages = list(pages_in(out, folder, name))
        seconds = 0.0
        for file, page in islice(cycle(pages), max(len(pages), count // 3)):
            with open_document(file, Limits()) as document:
                image = document.render(page["page"], None, page["dpi"])
                seen = upright(image, Limits().max_pixels, file.name).image if page["origin"] == Origin.OCR else None
                before = before or process.memory_info().rss / MB
                started = time.process_time()
                find_blocks(document, page["page"], text_of(page), facts_of(page), seen)
                seconds += time.process_time() - started
            last = process.memory_info().rss / MB
            first = first or last
        done = max(len(pages), count // 3)
        rows.append([name, done, seconds / done, round(before), round(first), round(last)])
    table.show(("set", "pages", "CPU s a page", "MB before", "MB after the first", "MB after the last"), rows)


def long_document(out: Path, folder: Path, pages: int) -> None:
    """Write Markdown and text of a document of so many pages, each in a process of its own, and print their memory."""
    with tempfile.TemporaryDirectory(prefix="ocr-bench-") as temporary:
        result = Path(temporary, "result.json")
        write_result(out, folder, pages, result)
        rows: list[list[table.Cell]] = []
        for format in ("text", "markdown", "html"):
            command = [sys.executable, "-m", "bench.structure_costs", "--format", format, str(result), str(folder)]
            rss, seconds = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
            rows.append([format, pages, int(rss), float(seconds)])
    table.show(("format", "pages", "MB at most", "CPU s"), rows)


def write_result(out: Path, folder: Path, pages: int, result: Path) -> None:
    """Write the result of a document of so many pages."""
    from ocrqueue.storage.results import write_result

    source = json.loads(next((out / "ours" / "made").glob("*.json")).read_text(encoding="utf-8"))
    header = {key: value for key, value in source.items() if key != "pages"}
    found = islice(cycle([page for _, page in pages_in(out, folder, "made")]), pages)
    with result.open("w", encoding="utf-8") as stream:
        write_result(stream, header, ({**page, "page": number} for number, page in enumerate(found, 1)))


def write_format(format: str, result: Path) -> None:
    """Write a format of a result to nowhere; print the memory in MB that this needed, and the CPU seconds."""
    from ocrqueue import formats
    from ocrqueue.storage.results import read_header, read_pages

    with (
        result.open(encoding="utf-8") as first,
        result.open(encoding="utf-8") as second,
        Path(os.devnull).open("w") as to,
    ):
        formats.write(format, read_pages(first), read_header(second), to)
    peak = re.search(r"VmHWM:\s*(\d+)", Path("/proc/self/status").read_text())  # `ru_maxrss` would be the parent's
    print(round(int(peak[1]) / 1024) if peak else 0, time.process_time())


def main() -> None:
    """Measure and print."""
    parser = ArgumentParser(prog="python -m bench.structure_costs", description="CPU and memory of structure.")
    parser.add_argument("out", type=Path, help="the folder that `bench.structure --keep` wrote")
    parser.add_argument("folder", type=Path, help="documents with the truth of their structure")
    parser.add_argument("--pages", type=int, default=0, help="find the blocks of so many pages, at least of all")
    parser.add_argument("--long", type=int, default=500, help="pages of the long document")
    parser.add_argument("--format", help="only write this format of the result OUT")
    given = parser.parse_args()
    if given.format:
        write_format(given.format, given.out)
        return
    structure(given.out, given.folder, given.pages)
    long_document(given.out, given.folder, given.long)
    print(f"\n{machine()}")


if __name__ == "__main__":
    main()
