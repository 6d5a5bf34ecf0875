"""How many words of a scan a search of its searchable PDF finds at the right position.

`python -m bench.search FOLDER [--class CLASS]... [--limit N]`

The truth has no positions, so they come from Tesseract, an independent engine that must be installed. A word counts if
Tesseract reads it and the truth contains it. It is found if the PDF has the same word within 20 points of the middle of
its box. If OCRmyPDF is installed, it is measured too; its text comes from Tesseract, so its positions agree.
"""

import math
import shutil
import subprocess
import tempfile
from argparse import ArgumentParser
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.support import corpus, table
from bench.support.stack import private_stack, start_workers
from ocrqueue.documents import open_document
from ocrqueue.documents.pdf.mupdf import pymupdf
from ocrqueue.limits import Limits

NEAR = 20.0  # points; the largest distance of a word that counts as found
SURE = 60.0  # the lowest confidence of Tesseract (0 to 100) for a word that counts
DPI = 200
HEADER = ("words", "found", "growth, KB a page", "OCRmyPDF found", "its growth, KB a page")
Place = tuple[str, float, float]  # word, middle of its box in parts (0 to 1) of width and height of the visible page


@dataclass(slots=True)
class Score:
    """The result of a search of some PDFs, and the size of their text."""

    pages: int = 0  # number of pages
    words: int = 0  # words that were searched
    found: int = 0  # words that were found at their position
    growth: float = 0.0  # bytes by which the PDFs are larger than the documents

    def add(self, other: "Score") -> None:
        """Add another score to this one."""
        self.pages += other.pages
        self.words += other.words
        self.found += other.found
        self.growth += other.growth

    @property
    def cells(self) -> list[table.Cell]:
        """The share of words found, and the growth per page in KB."""
        share = f"{self.found / self.words:.3f}" if self.words else "-"
        return [share, f"{self.growth / 1000 / self.pages:.1f}" if self.pages else "-"]


def words_to_find(entry: corpus.Entry) -> list[list[Place]]:
    """The words of each page that Tesseract reads and the truth contains."""
    truth = set(entry.truth.read_text().split())
    pages = []
    with open_document(entry.file, Limits()) as document, tempfile.TemporaryDirectory(prefix="ocr-bench-") as folder:
        for number in range(1, document.page_count + 1):
            path = Path(folder) / "page.png"
            image = document.render(number, None, DPI).image
            image.save(path)
            command = ["tesseract", str(path), "-", "--psm", "3", "tsv"]
            rows = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()[1:]
            pages.append([word for row in rows if (word := _place(row.split("\t"), image.size)) and word[0] in truth])
    return pages


def _place(cells: Sequence[str], size: tuple[int, int]) -> Place | None:
    if len(cells) < 12 or float(cells[10]) < SURE or len(cells[11].strip()) < 3:
        return None
    left, top, width, height = (int(cell) for cell in cells[6:10])
    return cells[11].strip(), (left + width / 2) / size[0], (top + height / 2) / size[1]


def rotations(source: Path) -> list[int]:
    """The rotation of each page of a PDF in degrees; empty for an image, because PyMuPDF cannot open every image."""
    if source.suffix != ".pdf":
        return []
    with pymupdf.open(source) as document:
        return [page.rotation for page in document]


def count_found(pdf: Path, source: Path, pages: Sequence[Sequence[Place]]) -> int:
    """The number of words that a search of the PDF finds at their position."""
    found, turned = 0, rotations(source)
    with pymupdf.open(pdf) as document:
        for number, wanted in enumerate(pages):
            page = document[number]
            page.set_rotation(turned[number] if turned else 0)
            width, height = page.rect.width, page.rect.height
            hits = {word: [hit * page.rotation_matrix for hit in page.search_for(word)] for word, _, _ in wanted}
            for word, x, y in wanted:
                found += any(
                    math.hypot(_off(hit.x0, hit.x1, x * width), _off(hit.y0, hit.y1, y * height)) <= NEAR
                    for hit in hits[word]
                )
    return found


def _off(low: float, high: float, value: float) -> float:
    return abs((low + high) / 2 - value)


def made_by_ocrmypdf(source: Path, folder: Path) -> Path | None:
    """The searchable PDF that OCRmyPDF makes; None if it is not installed or rejects the document."""
    if not shutil.which("ocrmypdf"):
        return None
    made = folder / f"{source.stem}.peer.pdf"
    command = ["ocrmypdf", "--force-ocr" if source.suffix == ".pdf" else "--image-dpi=200", "--output-type", "pdf"]
    done = subprocess.run([*command, "--optimize", "0", str(source), str(made)], capture_output=True, check=False)
    return made if done.returncode == 0 else None


def main() -> None:
    """Make PDFs, search them and print."""
    parser = ArgumentParser(prog="python -m bench.search", description="Words that a search of PDFs finds.")
    corpus.arguments(parser)
    parser.add_argument("--limit", type=int, help="only the first documents")
    given = parser.parse_args()
    if not shutil.which("tesseract"):
        raise SystemExit("tesseract is not installed, but positions come from it: apt install tesseract-ocr")
    entries = corpus.load(given.folder, given.classes, given.limit)
    documents: list[list[table.Cell]] = []
    classes: dict[str, tuple[Score, Score]] = {}
    with private_stack() as stack:
        start_workers(stack)
        client = stack.client()
        jobs = [client.submit(entry.file, fresh=True, text_layer="ignore", formats=["pdf"]) for entry in entries]
        for entry, job in zip(entries, jobs, strict=True):
            made = stack.folder / f"{entry.file.stem}.pdf"
            made.write_bytes(job.result("pdf", timeout=3600))
            pages = words_to_find(entry)
            scores = _score(entry, made, pages), _score(entry, made_by_ocrmypdf(entry.file, stack.folder), pages)
            documents.append(_row(entry.file.name, *scores))
            for name in (entry.cls, "all"):
                for total, score in zip(classes.setdefault(name, (Score(), Score())), scores, strict=True):
                    total.add(score)
    table.show(("document", *HEADER), documents)
    print()
    table.show(("class", *HEADER), [_row(name, *scores) for name, scores in sorted(classes.items())])


def _score(entry: corpus.Entry, made: Path | None, pages: Sequence[Sequence[Place]]) -> Score:
    if made is None:
        return Score()
    growth = made.stat().st_size - entry.file.stat().st_size
    return Score(len(pages), sum(map(len, pages)), count_found(made, entry.file, pages), growth)


def _row(name: str, ours: Score, peer: Score) -> list[table.Cell]:
    return [name, ours.words, *ours.cells, *peer.cells]


if __name__ == "__main__":
    main()
