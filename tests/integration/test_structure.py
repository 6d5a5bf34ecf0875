"""The structure of pages: asked for at submission, later, from the page cache; and what happens when it fails."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ocrqueue import names
from ocrqueue.client import Job, JobHandle
from ocrqueue.client.remote.client import RemoteClient
from ocrqueue.client.remote.settings import RemoteSettings
from ocrqueue.errors import OcrFailed, WrongState
from ocrqueue.states import WarningCode
from tests.support import numbered, result_schema
from tests.support.harness import Stack, eventually, running
from tests.support.web import start_web

ENGINE = "structured=tests.support.structures:Structured"


class Structures:
    """A stack whose looks for structure are counted, and can be made to fail."""

    def __init__(self, stack: Stack, folder: Path) -> None:
        self.stack, self.folder, self.client = stack, folder, stack.client()
        self._reads = self._looks = 0

    def set(self, *names: str) -> None:
        for name in names:
            (self.folder / name).touch()

    def clear(self, *names: str) -> None:
        for name in names:
            (self.folder / name).unlink(missing_ok=True)

    def done(self, document: bytes, **options: object) -> Job:
        job = self.client.submit(document, **options)  # type: ignore[arg-type]
        assert job.wait(timeout=60).state == "done"
        return job  # type: ignore[return-value]

    def work(self) -> tuple[int, int]:
        """Pages that were read, and looks for structure, since the last call."""
        reads = (self.folder / "reads").stat().st_size if (self.folder / "reads").exists() else 0
        looks = len((self.folder / "looks").read_text().split()) if (self.folder / "looks").exists() else 0
        found = reads - self._reads, looks - self._looks
        self._reads, self._looks = reads, looks
        return found


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Stack, Path]]:
    folder = tmp_path_factory.mktemp("structure")
    env = {"TEST_STRUCTURE": str(folder), "TEST_ENGINE_READS": str(folder / "reads"), "OCR_CACHE_MAX_GB": "0.5"}
    with running(**env, OCR_PAGE_SECONDS="3") as stack:
        stack.start_documents()
        stack.start_worker(engines=ENGINE, children=2)
        stack.start_beat()
        yield stack, folder


@pytest.fixture
def structures(started: tuple[Stack, Path]) -> Structures:
    found = Structures(*started)
    found.work()
    return found


def kinds(job: Job) -> list[list[str] | None]:
    """The kinds of the blocks of each page; None: it has no blocks."""
    pages = job.result()["pages"]
    return [None if page["blocks"] is None else [block["kind"] for block in page["blocks"]] for page in pages]


def test_a_job_that_wants_text_has_no_blocks_and_one_that_asks_has_them(structures: Structures) -> None:
    plain = structures.done(numbered.document(3))
    assert structures.work() == (3, 0)
    assert kinds(plain) == [None] * 3
    assert plain.result()["structure"] is False
    asked = structures.done(numbered.document(3), structure=True)
    assert structures.work() == (0, 3)  # read for the first job
    assert kinds(asked) == [["heading"]] * 3
    result = asked.result()
    assert result["structure"] is True
    assert result_schema.errors(result) == []
    assert {page["cached"] for page in result["pages"]} == {True}
    again = structures.done(numbered.document(3), formats=["markdown"])
    assert structures.work() == (0, 0)  # the cache has the blocks now
    assert kinds(again) == [["heading"]] * 3
    assert kinds(structures.done(numbered.document(3))) == [None] * 3
    assert structures.work() == (0, 0)


def test_asked_for_later(structures: Structures) -> None:
    job = structures.done(numbered.document(8, salt=1), priority="high")
    text = job.text()
    before = [status.id for status in structures.client.jobs()]
    structures.work()
    structures.set("hold")
    told: list[str] = []
    results: list[str] = []
    threads = [
        threading.Thread(target=lambda: results.append(_written(job, "markdown", told.append))) for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    eventually(lambda: structures.work()[1] or None)
    assert job.status().state == "done"
    assert job.text() == text  # the old result is readable meanwhile
    assert job.result()["structure"] is False
    assert [status.id for status in structures.client.jobs()] == before
    with pytest.raises(WrongState):
        job.retry()
    eventually(lambda: any("of 8 pages" in line for line in told))
    structures.clear("hold")
    for thread in threads:
        thread.join(30)
    assert len(results) == 2
    assert results[0] == results[1]
    assert kinds(job) == [["heading"]] * 8
    assert job.text() == text
    assert len((structures.folder / "looks").read_text().split()[-8:]) == 8
    assert structures.work()[0] == 0
    assert job.result()["pages"][0]["attempts"] == 0
    _written(job, "markdown")
    assert structures.work() == (0, 0)


def _written(job: Job, format: str, progress=None) -> str:
    import io

    stream = io.StringIO()
    job.write(format, stream, 60, progress=progress)
    return stream.getvalue()


def _cancelled(structures: Structures, job: Job, by: JobHandle) -> list[OcrFailed]:
    """What a client that waits for the structure of a job is told when another one cancels it."""
    structures.set("hold")
    failed: list[OcrFailed] = []

    def ask() -> None:
        try:
            job.result("markdown", 60)
        except OcrFailed as e:
            failed.append(e)

    thread = threading.Thread(target=ask)
    thread.start()
    eventually(lambda: structures.work()[1] or None)
    assert by.cancel()
    structures.clear("hold")
    thread.join(30)
    return failed


@pytest.mark.thorough
def test_cancelling_the_structuring_leaves_the_job_as_it_was(structures: Structures) -> None:
    job = structures.done(numbered.document(12, salt=2))
    text = job.text()
    (failed,) = _cancelled(structures, job, by=job)
    assert failed.code == "cancelled"
    assert (job.status().state, job.text()) == ("done", text)
    assert job.result()["structure"] is False
    assert not job.cancel()
    assert job.result("json", 60, structure=True)["structure"] is True  # asked for again


@pytest.mark.thorough
def test_cancelling_the_structuring_over_http_has_the_same_answer(structures: Structures) -> None:
    job = structures.done(numbered.document(12, salt=22))
    over_http = RemoteClient(RemoteSettings(start_web(structures.stack).url, None)).job(job.id)
    assert not over_http.cancel()
    (failed,) = _cancelled(structures, job, by=over_http)
    assert failed.code == "cancelled"
    assert job.result()["structure"] is False
    assert not over_http.cancel()


@pytest.mark.thorough
def test_a_failing_structure_fails_no_page(structures: Structures) -> None:
    structures.set("raise-2")
    try:
        job = structures.done(numbered.document(3, salt=3), structure=True)
    finally:
        structures.clear("raise-2")
    result = job.result()
    assert result_schema.errors(result) == []
    assert [[w["code"] for w in page["warnings"]] for page in result["pages"]] == [
        [], [WarningCode.STRUCTURE_BY_RULES], [],
    ]  # fmt: skip
    assert kinds(job) == [["heading"], ["paragraph"], ["heading"]]
    assert structures.work() == (3, 3)
    assert kinds(structures.done(numbered.document(3, salt=3), structure=True)) == [["heading"]] * 3
    assert structures.work() == (0, 1)  # its text is in the cache, without blocks by rules


@pytest.mark.thorough
def test_a_child_that_is_killed_or_hangs_while_it_looks_does_not_read_again(structures: Structures) -> None:
    structures.set("kill-1", "hang-2")
    try:
        job = structures.client.submit(numbered.document(3, salt=4), structure=True, engine="structured")
        assert job.wait(timeout=90).state == "done"
    finally:
        structures.clear("kill-1", "hang-2")
    pages = job.result()["pages"]
    assert structures.work()[0] == 3  # each page was read once
    assert [page["blocks"][0]["kind"] for page in pages] == ["heading", "paragraph", "heading"]
    assert [len(page["warnings"]) for page in pages] == [0, 1, 0]


@pytest.mark.thorough
def test_without_a_document_or_a_worker(structures: Structures) -> None:
    job = structures.done(numbered.document(2, salt=5))
    record = structures.client.ledger.job(job.id)
    assert record.source.file
    structures.client.spool.remove(job.id, record.source.file)
    pages = job.result("json", 60, structure=True)["pages"]
    assert [page["warnings"][0]["code"] for page in pages] == [WarningCode.STRUCTURE_BY_RULES] * 2
    assert "no longer in the spool" in pages[0]["warnings"][0]["message"]
    other = structures.done(numbered.document(2, salt=6))
    structures.stack.kill("worker", 15)
    eventually(lambda: structures.stack.redis.zcard(names.WORKERS) == 1)
    started = time.monotonic()
    assert other.result("markdown", 60).startswith("<!-- structure: by rules")
    assert time.monotonic() - started < 15
    run = structures.stack.submit("result", other.id, "-f", "markdown")
    assert (run.returncode, run.stdout.split("\n")[0][:23]) == (0, "<!-- structure: by rule")
