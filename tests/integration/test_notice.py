"""The notice: a service's own Celery worker, in a process of its own, hears of the end of a job."""

import json
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from ocrqueue.client import Job
from tests.support import numbered
from tests.support.harness import Stack, eventually, running

# Somebody else's application and its worker; it writes down what it is told.
SERVICE = """
import json, sys
from celery import Celery
url, notes = sys.argv[1:]
app = Celery("billing", broker=url)

@app.task(name="billing.document_read")
def document_read(summary):
    with open(notes, "a") as file:
        file.write(json.dumps(summary) + "\\n")

app.worker_main(["worker", "-Q", "billing", "-P", "solo", "-n", "billing@test", "--without-mingle", "--without-gossip"])
"""
NOTICE = ("billing.document_read", "billing")


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    with running() as stack:
        script, notes = stack.folder / "billing.py", stack.folder / "notes"
        script.write_text(SERVICE)
        url = stack.client().settings.redis
        stack.spawn("billing", [sys.executable, "-I", str(script), url, str(notes)], PYTHONPATH="")
        stack.start_documents(OCR_NOTIFY_TASKS=NOTICE[0])
        stack.start_worker()
        yield stack


def heard(stack: Stack, job: Job) -> dict[str, Any] | None:
    """What the service was told of a job."""
    notes = stack.folder / "notes"
    lines = notes.read_text().splitlines() if notes.exists() else []
    return next((told for told in map(json.loads, lines) if told["job"] == job.id), None)


@pytest.mark.parametrize(
    ("content", "state", "counts", "code"),
    [
        (numbered.document(3), "done", (3, 0, 0), None),
        (numbered.document(3, {2: numbered.RAISE}), "partial", (2, 1, 0), None),
        (numbered.document(1, {1: numbered.RAISE}), "failed", (0, 1, 0), "engine_error"),
        (b"no document", "failed", (0, 0, 0), "unsupported_format"),
    ],
)
def test_the_service_hears_of_the_end(
    stack: Stack, content: bytes, state: str, counts: tuple[int, ...], code: str | None
) -> None:
    job = stack.client().submit(content, name="letter.tif", notify=NOTICE)
    summary = eventually(lambda: heard(stack, job))
    assert summary.pop("seconds") >= 0
    error = summary.pop("error")
    assert (error and error["code"]) == code
    assert summary == {
        "job": job.id,
        "name": "letter.tif",
        "state": state,
        "pages": sum(counts),
        "counts": dict(zip(("ok", "failed", "cancelled"), counts, strict=True)),
        "quality": None,
        "poorly_read": 0,
    }
    assert job.status().state == state  # it is told after the end


def test_the_service_hears_of_a_cancelled_job(stack: Stack) -> None:
    job = stack.client().submit(numbered.document(2), engine="rapidocr", notify=NOTICE)  # which nobody reads here
    eventually(lambda: job.status().state == "running")
    assert job.cancel()
    summary = eventually(lambda: heard(stack, job))
    assert (summary["state"], summary["counts"]["cancelled"]) == ("cancelled", 2)


def test_a_task_that_is_not_allowed_is_not_sent_and_the_job_ends(stack: Stack) -> None:
    job = stack.client().submit(numbered.document(1), notify=("billing.delete_everything", "accounts"))
    assert job.wait(timeout=30).state == "done"
    line = f"job={job.id} names the task billing.delete_everything, which OCR_NOTIFY_TASKS does not allow"
    eventually(lambda: line in stack.text("documents"))
    eventually(lambda: not stack.redis.zscore("ocr:untold", job.id))  # told to everyone who may hear it
    assert not [key for key in stack.redis.keys("*") if key.startswith("accounts")]
