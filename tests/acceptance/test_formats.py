"""hOCR, ALTO and searchable PDF on the command line, of a scanned PDF, an image and an encrypted document."""

import json
import os
import pty
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pypdfium2
import pytest

from ocrqueue.documents.pdf.mupdf import pymupdf
from tests.support.harness import PROJECT, Stack

DATA = PROJECT / "tests" / "data"
FIRST = "Alice was beginning to get very tired"


def text_of(pdf: Path, password: str | None = None) -> str:
    with pypdfium2.PdfDocument(pdf, password=password) as document:
        return " ".join(document[0].get_textpage().get_text_bounded().split())


def test_every_format_of_a_pdf_and_of_an_image(stack: Stack, tmp_path: Path) -> None:
    with pymupdf.open(DATA / "scan.pdf") as pdf:
        pdf[0].get_pixmap(dpi=110).save(tmp_path / "page.png")
    command = ["ocr", str(DATA / "scan.pdf"), str(tmp_path / "page.png"), "--pages", "1", "-o", str(tmp_path)]
    done = stack.submit(*command, "-f", "hocr", "-f", "alto", "-f", "pdf", "--json")
    assert done.returncode == 0, done.stderr
    for stem in ("scan", "page"):
        for name in (f"{stem}.hocr", f"{stem}.alto.xml"):
            assert "Alice" in (tmp_path / name).read_text()
            ET.parse(tmp_path / name)
        assert FIRST in text_of(tmp_path / f"{stem}.ocr.pdf")
    assert (tmp_path / "scan.ocr.pdf").read_bytes().startswith((DATA / "scan.pdf").read_bytes())
    job = json.loads(done.stdout.splitlines()[0])["job"]
    printed = subprocess.run(
        [sys.executable, "submit.py", "result", job, "-f", "pdf"], cwd=PROJECT, env=stack.env, capture_output=True
    )
    assert printed.stdout.startswith(b"%PDF")


@pytest.mark.thorough
def test_a_pdf_is_made_on_demand(stack: Stack, tmp_path: Path) -> None:
    job = stack.client().submit(DATA / "scan.pdf", pages="1")
    made = job.result("pdf", timeout=60)
    assert isinstance(made, bytes)
    (tmp_path / "made.pdf").write_bytes(made)
    assert FIRST in text_of(tmp_path / "made.pdf")


@pytest.mark.thorough
def test_the_password_is_kept_for_the_pdf_and_then_removed(stack: Stack, tmp_path: Path) -> None:
    (tmp_path / "password").write_text("secret\n")
    command = ["ocr", str(DATA / "bad" / "enc_aes256_user.pdf"), "--password-file", str(tmp_path / "password")]
    done = stack.submit(*command, "-f", "pdf", "-o", str(tmp_path), "--json")
    assert done.returncode == 0, done.stderr
    assert "quick brown fox" in text_of(tmp_path / "enc_aes256_user.ocr.pdf", "secret")
    folder = stack.folder / "data" / "spool" / "jobs" / json.loads(done.stdout)["job"]
    assert not (folder / "password").exists()
    done = stack.submit(*command, "--json", "-o", str(tmp_path))
    late = stack.submit("result", json.loads(done.stdout)["job"], "-f", "pdf", "-o", str(tmp_path / "late.pdf"))
    assert late.returncode == 4
    assert "password_required" in late.stderr
    assert len(late.stderr.splitlines()) == 1


def test_a_pdf_is_not_written_to_a_terminal(stack: Stack) -> None:
    job = stack.client().submit(DATA / "scan.pdf", pages="1")
    job.wait(timeout=60)
    ours, theirs = pty.openpty()
    done = subprocess.run(
        [sys.executable, "submit.py", "result", job.id, "-f", "pdf"],
        cwd=PROJECT, env=stack.env, stdout=theirs, stderr=subprocess.PIPE, text=True, timeout=60,
    )  # fmt: skip
    os.close(theirs)
    os.close(ours)
    assert done.returncode == 2
    assert "-o" in done.stderr
