"""The same document with the same options is read once. The stack has its page cache on; the engine counts pages."""

import json
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from celery import Celery

from ocrqueue import names
from ocrqueue.client import Job
from ocrqueue.documents.pdf.mupdf import pymupdf
from ocrqueue.states import Return
from tests.support import numbered
from tests.support.harness import Stack, eventually, running

QUICK = "quick=tests.support.engines:Quick"


class Counting:
    """A stack whose engine writes a byte for each page that it reads."""

    def __init__(self, stack: Stack) -> None:
        self.stack, self.client = stack, stack.client()
        self._file = Path(stack.env["TEST_ENGINE_READS"])
        self._before = 0

    def reads(self) -> int:
        """Pages read since the last call."""
        before, self._before = self._before, self._file.stat().st_size if self._file.exists() else 0
        return self._before - before

    def done(self, document: bytes, **options: object) -> Job:
        job = self.client.submit(document, **options)  # type: ignore[arg-type]
        assert job.wait(timeout=60).state == "done"
        return job


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    reads = tmp_path_factory.mktemp("reads") / "reads"
    with running(OCR_CACHE_MAX_GB="0.5", TEST_ENGINE_READS=str(reads)) as stack:
        stack.start_documents()
        stack.start_worker(engines=QUICK, children=2)
        yield stack


@pytest.fixture
def counting(stack: Stack) -> Counting:
    counting = Counting(stack)
    counting.reads()
    return counting


def without(page: dict[str, object], *names: str) -> dict[str, object]:
    return {name: value for name, value in page.items() if name not in names}


def test_a_second_submission_reads_nothing(counting: Counting) -> None:
    first = counting.done(numbered.document(30))
    assert counting.reads() == 30
    second = counting.done(numbered.document(30), priority="high", formats=["text"], name="another.tif")
    assert counting.reads() == 0
    read, cached = first.result()["pages"], second.result()["pages"]
    own = ("cached", "seconds", "memory")  # fields that differ between the jobs
    assert [without(page, *own) for page in cached] == [without(page, *own) for page in read]
    assert {page["cached"] for page in read} == {False}
    assert {(page["cached"], page["seconds"], page["attempts"]) for page in cached} == {(True, 0, 0)}
    assert second.status().ok == 30
    assert second.text() == first.text()


def test_a_job_whose_pages_are_all_in_the_cache_takes_one_message(counting: Counting) -> None:
    counting.done(numbered.document(2, salt=2))
    job = counting.done(numbered.document(2, salt=2))
    last = counting.stack.redis.hmget(names.job_key(job.id), "last:document", "last:assemble")
    (opened, by), (ended, also_by) = (str(step).split(" ") for step in last)
    assert (opened, ended) == ("open", "end")
    assert by == also_by  # a message's claims have its token


def test_other_options_and_fresh_read_again(counting: Counting) -> None:
    document = numbered.document(3, salt=1)
    for options, reads in (({}, 3), ({"dpi": 72}, 3), ({"dpi": 72}, 0), ({"fresh": True}, 3), ({}, 0)):
        counting.done(document, **options)
        assert counting.reads() == reads


def test_cached_pages_are_used_in_any_selection_of_pages(counting: Counting) -> None:
    document = numbered.document(9, salt=2)
    counting.done(document, pages="2,5-6")
    assert counting.reads() == 3
    job = counting.done(document)
    assert counting.reads() == 6
    assert [page["page"] for page in job.result()["pages"] if page["cached"]] == [2, 5, 6]
    assert [page["text"] for page in job.result()["pages"]] == [numbered.text(n) for n in range(1, 10)]
    assert {page["cached"] for page in counting.done(document, pages="4-6,9").result()["pages"]} == {True}


def test_a_retry_reads_only_the_failed_pages_and_failures_are_not_cached(counting: Counting) -> None:
    """The engine counts a page before it fails: twelve pages at first, and later only the two that failed."""
    document = numbered.document(12, {4: numbered.RAISE, 9: numbered.RAISE}, salt=4)
    job = counting.client.submit(document)
    assert job.wait(timeout=60).state == "partial"
    assert counting.reads() == 12
    job.retry()
    assert job.wait(timeout=60).state == "partial"
    assert counting.reads() == 2
    assert counting.client.submit(document).wait(timeout=60).state == "partial"
    assert counting.reads() == 2


@pytest.mark.thorough
def test_pages_that_were_read_before_the_worker_died_are_not_read_again(stack: Stack, counting: Counting) -> None:
    """The worker is killed in the middle of a job, which is cancelled and dropped. A new job reads the other pages."""
    document = numbered.document(60, salt=5)
    job = counting.client.submit(document)
    eventually(lambda: job.status().ok >= 20)
    stack.kill("worker")
    job.cancel()
    for token in [member.split(" ")[1] for member in stack.redis.zrange(names.CLAIMS, 0, -1)]:
        step = counting.client.ledger.return_claim(job.id, token, Return.LOST)  # as if their leases had run out
        counting.client.send(step.messages)
    assert job.wait(timeout=60).state == "cancelled"
    newest = max(cache_of(stack).iterdir(), key=lambda folder: folder.stat().st_mtime)
    read = len(list(newest.glob("*.json")))
    assert job.status().ok <= read < 60
    job.drop()
    counting.reads()
    again = counting.client.submit(document)  # no live worker has announced its cache key yet
    stack.start_worker("second", engines=QUICK, children=2)
    assert again.wait(timeout=60).state == "done"
    assert counting.reads() == 60 - read
    stack.kill("second", 15)
    stack.start_worker(engines=QUICK, children=2)


def cache_of(stack: Stack) -> Path:
    return stack.folder / "data" / "spool" / "cache"


def test_a_damaged_entry_is_read_again(stack: Stack, counting: Counting) -> None:
    document = numbered.document(2, salt=6)
    counting.done(document)
    newest = max(cache_of(stack).glob("*/000002.json"), key=lambda path: path.stat().st_mtime)
    newest.write_bytes(newest.read_bytes()[:50])
    counting.reads()
    job = counting.done(document)
    assert counting.reads() == 1
    assert job.result()["pages"][1]["text"] == numbered.text(2)
    counting.done(document)
    assert counting.reads() == 0


def test_a_document_with_a_password_leaves_nothing_in_the_cache(stack: Stack, counting: Counting) -> None:
    before = sorted(cache_of(stack).rglob("*"))
    for _ in range(2):
        counting.done(locked(), password="open sesame", dpi=72, text_layer="ignore")
        assert counting.reads() == 1
    assert sorted(cache_of(stack).rglob("*")) == before
    refused = counting.client.submit(locked(), dpi=72)
    assert refused.wait(timeout=60).state == "failed"
    assert refused.status().code == "password_required"


def locked() -> bytes:
    with pymupdf.open() as pdf:
        pdf.new_page().insert_text((72, 72), "a secret")
        content: bytes = pdf.tobytes(encryption=pymupdf.PDF_ENCRYPT_AES_256, user_pw="open sesame", owner_pw="o")
        return content


def test_a_file_of_a_plain_message_is_cached_by_its_content(stack: Stack, counting: Counting) -> None:
    """The SHA-256 in the name of a file is compared with its bytes, because another program wrote the file."""
    document, other = numbered.document(2, salt=7), numbered.document(2, {1: numbered.SLOW}, salt=8)
    counting.done(document)
    assert counting.reads() == 2
    record = json.loads(str(stack.redis.hget(names.job_key(counting.client.jobs()[-1].id), "source")))
    for content, reads in ((document, 0), (other, 2), (other, 2), (document, 0)):
        assert placed(counting, content, record["file"]).wait(timeout=60).state == "done"
        assert counting.reads() == reads


def test_beats_task_trim_counts_the_cache(stack: Stack, counting: Counting) -> None:
    counting.done(numbered.document(1, salt=9))
    with Celery(broker=counting.client.settings.redis, backend=None) as app:
        app.send_task(names.TRIM, queue=names.MAINTENANCE_QUEUE)
    eventually(lambda: stack.redis.hexists(names.CACHE, "counted"))
    entries = len(list(cache_of(stack).glob("*/*.json")))
    assert int(str(stack.redis.hget(names.CACHE, "bytes"))) == 4096 * entries


def placed(counting: Counting, content: bytes, name: str) -> Job:
    """A job by a plain message, with its document in the spool under this name."""
    job, client = str(uuid4()), counting.client
    client.spool.write_json(job, "job.json", {})
    (Path(client.settings.spool) / "jobs" / job / name).write_bytes(content)
    with Celery(broker=client.settings.redis, backend=None) as app:
        app.send_task(names.DOCUMENT, kwargs={"source": {"spool": name}, "version": 1}, task_id=job, queue="documents")
    eventually(lambda: client.redis.exists(names.job_key(job)))
    return client.job(job)
