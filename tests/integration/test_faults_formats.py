"""The PDF of an encrypted document cannot be made at first. Its password stays as long as the PDF can still be made."""

import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from celery import Celery

from ocrqueue import names
from ocrqueue.client import Job
from ocrqueue.documents.pdf.mupdf import pymupdf
from ocrqueue.errors import OcrFailed, UnknownJob
from ocrqueue.ledger.messages import send_format
from ocrqueue.steps.housekeeping import remove_old_passwords
from tests.support import numbered
from tests.support.faults import Supervised, eventually, supervised
from tests.support.harness import running

SECRET = "sesame-7c1f"


@pytest.fixture(scope="module")
def stack() -> Iterator[Supervised]:
    with supervised() as stack:
        stack.start_documents(children=1)
        stack.start_worker()
        yield stack


@pytest.fixture(scope="module")
def locked() -> bytes:
    """A PDF that opens with the password."""
    with pymupdf.open() as pdf:
        pdf.new_page().insert_text((72, 72), "text")
        content: bytes = pdf.tobytes(encryption=pymupdf.PDF_ENCRYPT_AES_256, user_pw=SECRET, owner_pw="owner")
        return content


def submit(stack: Supervised, document: bytes) -> Job:
    """Submit a job with the output format PDF. Returns it when the first attempt to make the PDF has failed."""
    job = stack.client().submit(
        document, password=SECRET, engine="numbered", formats=["pdf"], text_layer="ignore", fresh=True
    )
    with pytest.raises(OcrFailed):
        job.result("pdf", timeout=60)
    assert job.status().state == "done"
    return job


def ask_again(stack: Supervised, job: Job) -> None:
    """Send the message that makes the PDF. The client would send it only a minute after the job's end."""
    with Celery(broker=stack.client().settings.redis) as app:
        send_format(app, stack.client().ledger.job(job.id), "pdf")


def password(stack: Supervised, job: Job) -> Path:
    return stack.folder / "data" / "spool" / "jobs" / job.id / "password"


def check_made(stack: Supervised, job: Job) -> None:
    """Check that the PDF can be made now, and that the password is removed then."""
    ask_again(stack, job)
    with pymupdf.open(stream=job.result("pdf", timeout=60)) as pdf:
        assert pdf.authenticate(SECRET)
    eventually(lambda: not password(stack, job).exists())


@pytest.mark.thorough
def test_a_pdf_can_be_made_when_the_disk_is_not_full_any_more(stack: Supervised, locked: bytes) -> None:
    full = stack.folder / "full"
    full.write_text(".pdf")
    job = submit(stack, locked)
    assert password(stack, job).exists()
    full.unlink()
    check_made(stack, job)


def test_a_pdf_can_be_made_after_the_child_that_made_it_was_killed(stack: Supervised, locked: bytes) -> None:
    trap = stack.trap("making")
    job = submit(stack, locked)
    assert not trap.exists()
    assert password(stack, job).exists()
    check_made(stack, job)


@pytest.mark.thorough
def test_an_old_password_is_removed_at_night(stack: Supervised, locked: bytes) -> None:
    trap = stack.trap("making")
    job = submit(stack, locked)
    assert not trap.exists()
    spool = stack.client().spool
    changed = eventually(lambda: spool.exists(job.id, "end.json") and spool.changed(job.id))
    assert remove_old_passwords(spool, changed) == 0
    assert remove_old_passwords(spool, changed + 1) == 1
    assert not password(stack, job).exists()
    ask_again(stack, job)
    with pytest.raises(OcrFailed, match="password_required: the document's password was deleted"):
        job.result("pdf", timeout=60)


@pytest.mark.thorough
def test_the_password_of_a_job_that_can_be_retried_stays(stack: Supervised, locked: bytes) -> None:
    job = stack.client().submit(locked, password=SECRET, engine="rapidocr", text_layer="ignore")  # no worker reads it
    eventually(lambda: job.status().state == "running")
    job.cancel()
    assert job.wait(timeout=60).state == "cancelled"
    spool = stack.client().spool
    changed = eventually(lambda: spool.exists(job.id, "end.json") and spool.changed(job.id))
    assert remove_old_passwords(spool, changed + 1) == 0
    assert password(stack, job).exists()


def test_who_waits_for_a_pdf_of_a_job_that_is_dropped_is_told_so() -> None:
    with running() as own:
        own.start_documents(children=1)
        own.start_worker()
        job = own.client().submit(numbered.document(1), engine="numbered")
        job.wait(60)
        own.kill("documents", signal.SIGTERM)  # the message that asks for the PDF waits
        with ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(own.client().job(job.id).result, "pdf")
            asked = own.client().redis
            eventually(lambda: asked.keys(names.asked_key("*")))
            job.drop()
            with pytest.raises(UnknownJob, match="is gone"):
                waiting.result(60)
