"""The commands of a user, with a real stack and the default engine."""

import json
import subprocess
import sys
import uuid
from pathlib import Path
from xml.etree import ElementTree as ET

import pypdfium2
import pytest

from ocrqueue.documents.pdf.mupdf import pymupdf
from tests.support.harness import PROJECT, Stack

DATA = PROJECT / "tests" / "data"
SCAN = DATA / "scan.pdf"
PASSWORD = "secret"
FIRST = "Alice was beginning to get very tired"


def test_text_goes_to_standard_output_and_progress_to_stderr(stack: Stack) -> None:
    done = stack.submit("ocr", str(SCAN))
    assert done.returncode == 0, done.stderr
    pages = done.stdout.split("\f")
    assert len(pages) == 4
    assert "scan.pdf" in done.stderr
    truth = (DATA / "scan.txt").read_text().split("\f")
    for read, true in zip(pages, truth, strict=True):
        common = set(read.split()) & set(true.split())
        assert len(common) > 0.9 * len(set(true.split()))


def test_a_job_by_its_id(stack: Stack, tmp_path: Path) -> None:
    sent = stack.submit("ocr", str(SCAN), "--pages", "3", "--no-wait")
    job = sent.stdout.strip()
    assert str(uuid.UUID(job)) == job
    assert stack.submit("wait", job).returncode == 0
    status = json.loads(stack.submit("status", job, "--json").stdout)
    assert (status["state"], status["pages"], status["ok"]) == ("done", 1, 1)
    result = json.loads(stack.submit("result", job, "-f", "json").stdout)
    assert result["schema"] == "ocr-queue/1"
    assert result["source"]["pages"] == 4
    assert [p["page"] for p in result["pages"]] == [3]
    (page,) = result["pages"]
    assert (page["engine"], page["model"], page["dpi"], page["origin"]) == ("rapidocr", "pp-ocrv6-small", 200, "ocr")
    assert page["memory"]["rss"] > 50_000_000
    assert all(len(line["box"]) == 4 and 0 <= line["confidence"] <= 1 for line in page["lines"])
    assert stack.submit("result", job, "-f", "jsonl", "-o", str(tmp_path / "x.jsonl")).returncode == 0
    assert json.loads((tmp_path / "x.jsonl").read_text())["page"] == 3
    assert job in stack.submit("jobs", "--state", "done").stdout
    assert stack.submit("retry", job).returncode == 4
    assert stack.submit("drop", job).returncode == 0
    gone = stack.submit("status", job)
    assert gone.returncode == 4
    assert len(gone.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("name", "code"), [("truncated_50.png", "corrupt_file"), ("enc_aes256_user.pdf", "password_required")]
)
def test_bad_input_is_answered_in_one_line(stack: Stack, name: str, code: str) -> None:
    """tests/unit/documents/test_bad_documents.py has the code of every bad file."""
    done = stack.submit("ocr", str(DATA / "bad" / name))
    assert done.returncode == 4
    (error,) = [line for line in done.stderr.splitlines() if "error" in line]
    assert code in error
    assert "Traceback" not in done.stderr


@pytest.mark.thorough
def test_an_encrypted_document_with_its_password(stack: Stack, tmp_path: Path) -> None:
    (tmp_path / "password").write_text(PASSWORD + "\n")
    encrypted = str(DATA / "bad" / "enc_aes256_user.pdf")
    done = stack.submit("ocr", encrypted, "--password-file", str(tmp_path / "password"), "--json", "-o", str(tmp_path))
    assert done.returncode == 0, done.stderr
    job = json.loads(done.stdout)["job"]
    assert not (stack.folder / "data" / "spool" / "jobs" / job / "password").exists()
    for name in ("worker", "documents"):
        assert PASSWORD not in stack.text(name)
    assert PASSWORD not in json.dumps(stack.redis.hgetall(f"ocr:job:{job}"))
    (tmp_path / "password").write_text("wrong")
    wrong = stack.submit("ocr", encrypted, "--password-file", str(tmp_path / "password"))
    assert (wrong.returncode, "password_required" in wrong.stderr) == (4, True)


def test_a_url_that_is_not_allowed(stack: Stack) -> None:
    done = stack.submit("ocr", "http://127.0.0.1:9/scan.pdf")
    assert done.returncode == 4
    assert "source_not_allowed" in done.stderr
    assert "OCR_ALLOWED_SOURCES" in done.stderr


def test_doctor_finds_a_healthy_stack(stack: Stack) -> None:
    done = stack.submit("doctor")
    assert done.returncode in (0, 4)
    wrong = [line for line in done.stdout.splitlines() if line.startswith("wrong")]
    assert not [line for line in wrong if "dead" not in line], done.stdout
    assert "rapidocr" in done.stdout


def test_without_redis(stack: Stack, tmp_path: Path) -> None:
    env = {**stack.env, "REDIS_URL": f"unix://{tmp_path}/none.sock?db=0"}
    for command in (["ocr", str(SCAN)], ["jobs"], ["doctor"]):
        done = stack.submit(*command, env=env)
        assert done.returncode == (4 if command == ["doctor"] else 6), done.stderr
        assert "Traceback" not in done.stderr


def text_of(pdf: Path, password: str | None = None) -> str:
    with pypdfium2.PdfDocument(pdf, password=password) as document:
        return " ".join(document[0].get_textpage().get_text_bounded().split())


def test_every_format_of_a_pdf_and_of_an_image(stack: Stack, tmp_path: Path) -> None:
    with pymupdf.open(SCAN) as pdf:
        pdf[0].get_pixmap(dpi=110).save(tmp_path / "page.png")
    command = ["ocr", str(SCAN), str(tmp_path / "page.png"), "--pages", "1", "-o", str(tmp_path)]
    done = stack.submit(*command, "-f", "hocr", "-f", "alto", "-f", "pdf", "--json")
    assert done.returncode == 0, done.stderr
    for stem in ("scan", "page"):
        for name in (f"{stem}.hocr", f"{stem}.alto.xml"):
            assert "Alice" in (tmp_path / name).read_text()
            ET.parse(tmp_path / name)
        assert FIRST in text_of(tmp_path / f"{stem}.ocr.pdf")
    assert (tmp_path / "scan.ocr.pdf").read_bytes().startswith((SCAN).read_bytes())
    job = json.loads(done.stdout.splitlines()[0])["job"]
    printed = subprocess.run(
        [sys.executable, "submit.py", "result", job, "-f", "pdf"], cwd=PROJECT, env=stack.env, capture_output=True
    )
    assert printed.stdout.startswith(b"%PDF")


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
