"""The kind of a file is recognised by its first bytes."""

import io
import subprocess
import sys

import pytest
from PIL import Image

from ocrqueue.documents import sniff

FORMATS = {
    "png": "PNG",
    "jpeg": "JPEG",
    "tiff": "TIFF",
    "webp": "WEBP",
    "gif": "GIF",
    "bmp": "BMP",
    "jpeg2000": "JPEG2000",
    "avif": "AVIF",
}


@pytest.mark.parametrize(("kind", "name"), FORMATS.items())
def test_files_that_pillow_writes_are_recognised(kind, name):
    file = io.BytesIO()
    Image.new("RGB", (8, 8)).save(file, name)
    assert sniff(file.getvalue()) == kind


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (b"%PDF-1.7\n", "pdf"),
        (b"junk\n" * 204 + b"%PDF-1.4", "pdf"),
        (b"j" * 1024 + b"%PDF-1.4", "pdf"),
        (b"j" * 1025 + b"%PDF-1.4", None),
        (b"\xff\x4f\xff\x51\0\x2f", "jpeg2000"),
        (b"MM\0*\0\0\0\x08", "tiff"),
        (b"II+\0\x08\0\0\0", "tiff"),
        (b"\0\0\0\x18ftypmif1\0\0\0\0mif1heic", "heic"),
        (b"\0\0\0\x18ftypmif1\0\0\0\0mif1avif", "avif"),
        (b"\0\0\0\x18ftypisom\0\0\0\0isommp42", None),
        (b"", None),
        (b"BM are also the first letters of this text, which is not a bitmap", None),
        (b"<!DOCTYPE html><p>Hello", None),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", None),
        (b"PK\x03\x04\x14\0\0\0\0\0a.pdf%PDF-1.4", None),
        (b"8BPS\0\x01", None),
        (b"RIFF\0\0\0\0WAVE", None),
        (b"%!PS-Adobe-3.0", None),
    ],
)
def test_the_bytes_decide(head, kind):
    assert sniff(head) == kind


def test_neither_pillow_nor_pymupdf_is_loaded_before_a_document_is_opened():
    code = (
        "import sys, ocrqueue.documents, ocrqueue.fetching.sources;"
        "sys.exit(any(name in sys.modules for name in ('PIL', 'pymupdf', 'numpy', 'celery')))"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
