"""The memory for a searchable PDF does not depend on the number of pages."""

import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from ocrqueue.documents.pdf.mupdf import pymupdf

PROJECT = Path(__file__).parents[4]
PROGRAM = """
import sys
from pathlib import Path
from ocrqueue.formats.pdf.searchable import write_searchable
from ocrqueue.limits import Limits

source, count, transform = Path(sys.argv[1]), int(sys.argv[2]), eval(sys.argv[3])
words = "the quick brown fox jumps over the lazy dog and the dog sleeps on"
lines = [
    {"text": words, "box": [[50, y], [550, y], [550, y + 15], [50, y + 15]], "confidence": 0.9, "origin": "ocr"}
    for y in range(20, 820, 20)
]
page = {"width": 612, "height": 792, "transform": transform, "lines": lines}
with open("/dev/null", "wb") as output:
    write_searchable(source, Limits(), None, ({**page, "page": n} for n in range(1, count + 1)), output)
# not getrusage: its peak includes that of the parent process
print(next(int(row.split()[1]) for row in Path("/proc/self/status").read_text().splitlines() if "VmHWM" in row))
"""


def peak_mb(source, count):
    command = [sys.executable, "-c", PROGRAM, str(source), str(count), "[1, 0, 0, 0, 1, 0]"]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return int(done.stdout) // 1024


def pdf_of(path, count):
    pdf = pymupdf.open()
    for _ in range(count):
        pdf.new_page(width=612, height=792)
    pdf.save(path)
    return path


def tiff_of(path, count):
    frames = [Image.new("1", (612, 792), 1)] * count
    frames[0].save(path, "TIFF", save_all=True, append_images=frames[1:], compression="group4")
    return path


@pytest.mark.thorough
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs /proc")
@pytest.mark.parametrize(("make", "counts"), [(pdf_of, (200, 1000)), (tiff_of, (40, 200))])
def test_memory_does_not_grow_with_the_pages(tmp_path, make, counts):
    few, many = (peak_mb(make(tmp_path / f"{count}", count), count) for count in counts)
    assert many - few < 25, (few, many)
