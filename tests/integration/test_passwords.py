"""The password of a document is stored only for its job, is hidden everywhere else, and is removed after use."""

import os
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from ocrqueue.client import Job
from ocrqueue.documents.pdf.mupdf import pymupdf
from tests.support.harness import PROJECT, Stack, eventually, running

SECRET = "sesame-7c1f"


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    with running(OCR_CACHE_MAX_GB="0.1") as stack:
        stack.start_documents()
        stack.start_worker()
        yield stack


@pytest.fixture(scope="module")
def locked() -> bytes:
    """A PDF that is encrypted with the password."""
    with pymupdf.open() as pdf:
        pdf.new_page().insert_text((72, 72), "text")
        content: bytes = pdf.tobytes(encryption=pymupdf.PDF_ENCRYPT_AES_256, user_pw=SECRET, owner_pw="owner")
        return content


def kept(stack: Stack, job: Job | str) -> Path:
    """The file of the password in the job's folder."""
    return stack.folder / "data" / "spool" / "jobs" / (job if isinstance(job, str) else job.id) / "password"


def holding(stack: Stack) -> list[Path]:
    """The files that contain the password, among logs, spool, page cache, and the append-only file of Redis."""
    files = [path for path in stack.folder.rglob("*") if path.is_file()]
    assert {"worker.log", "documents.log"} <= {path.name for path in files}
    assert any(path.suffix == ".aof" and path.stat().st_size for path in files)
    return [path for path in files if SECRET.encode() in path.read_bytes()]


def shown(processes: list[psutil.Process]) -> bool:
    """Whether the arguments or the environment of a process contain the password."""
    return any(SECRET in " ".join([*p.cmdline(), *p.environ().values()]) for p in processes)


def test_the_password_is_hidden_and_removed_when_the_job_is_done(stack: Stack, locked: bytes, tmp_path: Path) -> None:
    (tmp_path / "locked.pdf").write_bytes(locked)
    (tmp_path / "secret").write_text(SECRET + "\n")
    stack.kill("worker")  # so that the job waits
    args = ["ocr", str(tmp_path / "locked.pdf"), "--password-file", str(tmp_path / "secret"), "--engine", "numbered"]
    client = psutil.Popen([sys.executable, "submit.py", *args, "--text-layer", "ignore"], cwd=PROJECT, env=stack.env)
    job = eventually(lambda: next((s.id for s in stack.client().jobs() if s.state == "running"), None))
    eventually(lambda: holding(stack) == [kept(stack, job)])
    assert stat.S_IMODE(kept(stack, job).stat().st_mode) == 0o600
    everyone = [psutil.Process(os.getpid()), *psutil.Process(os.getpid()).children(recursive=True)]
    assert client in everyone
    assert not shown(everyone)
    stack.start_worker()
    assert client.wait(60) == 0
    eventually(lambda: not kept(stack, job).exists())
    assert holding(stack) == []


@pytest.mark.thorough
def test_the_password_is_kept_until_a_requested_pdf_is_made(stack: Stack, locked: bytes) -> None:
    stack.kill("worker")
    job = stack.client().submit(locked, password=SECRET, engine="numbered", formats=["pdf"], text_layer="ignore")
    eventually(lambda: job.status().state == "running")
    assert kept(stack, job).exists()
    stack.start_worker()
    made = job.result("pdf", timeout=60)
    with pymupdf.open(stream=made) as pdf:
        assert pdf.authenticate(SECRET)
    eventually(lambda: not kept(stack, job).exists())
    assert holding(stack) == []


@pytest.mark.thorough
def test_a_retry_needs_the_password_and_a_drop_removes_it(stack: Stack, locked: bytes) -> None:
    job = stack.client().submit(locked, password=SECRET, engine="rapidocr", text_layer="ignore")  # no worker reads it
    eventually(lambda: job.status().state == "running")
    for _ in range(2):
        job.cancel()
        assert job.wait(timeout=30).state == "cancelled"
        assert kept(stack, job).exists()
        job.retry()
        eventually(lambda: job.status().state == "running")
    job.cancel()
    assert job.wait(timeout=30).state == "cancelled"
    eventually(lambda: stack.client().spool.exists(job.id, "end.json"))
    job.drop()
    assert not kept(stack, job).parent.exists()
    assert holding(stack) == []


def test_a_wrong_password_is_in_no_message(stack: Stack, locked: bytes) -> None:
    job = stack.client().submit(locked, password=SECRET[::-1])
    status = job.wait(timeout=30)
    assert (status.state, status.code) == ("failed", "password_required")
    assert SECRET[::-1] not in str(status) + stack.text("documents")
