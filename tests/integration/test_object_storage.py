"""Object storage with a real S3 server: how many requests a job costs, and what happens while the storage is away."""

import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from celery import Celery

from ocrqueue import names
from ocrqueue.errors import StorageError
from ocrqueue.ledger import Ledger
from ocrqueue.steps.housekeeping import remove_unknown_folders
from ocrqueue.storage.spool import END, Spool
from tests.support import numbered
from tests.support.harness import eventually, running
from tests.support.object_store import S3Stack

pytestmark = pytest.mark.needs("s3")

QUICK = "quick=tests.support.engines:Quick"
PAGES = 8


@pytest.fixture(scope="module")
def stack() -> Iterator[S3Stack]:
    with running(S3Stack, OCR_CACHE_MAX_GB="1", OCR_PAGE_SECONDS="3", OCR_OPEN_SECONDS="3") as stack:
        stack.start_documents(children=1)
        stack.start_worker(engines=QUICK, children=2, OCR_DATA_DIR=str(stack.folder / "pages"))
        yield stack


@pytest.fixture(autouse=True)
def credentials(stack: S3Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in stack.env.items():
        if name.startswith("AWS_"):
            monkeypatch.setenv(name, value)


def shown(requests: list[tuple[str, str, int, int]]) -> str:
    return "\n".join(f"{method} {what}" for method, what, *_ in requests)


def test_a_page_costs_at_most_four_requests_and_a_job_fifteen(stack: S3Stack) -> None:
    counts = {}
    for pages in (1, PAGES):
        stack.proxy.taken()
        job = stack.client().submit(numbered.document(pages, salt=pages), engine="quick")
        assert job.wait(timeout=60).state == "done"
        eventually(lambda job=job: stack.redis.zscore("ocr:untold", job.id) is None)
        assert job.result()["counts"]["ok"] == pages
        requests = stack.proxy.taken()
        counts[pages] = len(requests)
        sources = [what for method, what, *_ in requests if method == "GET" and "/source-" in what]
        assert len(sources) == 2, shown(requests)  # one for each machine: the documents worker, the page worker
        assert not [what for _, what, *_ in requests if "password" in what]
        listed = Counter(what for _, what, *_ in requests if what.startswith("list "))
        assert all(what.count("/") > 2 for what in listed), listed  # no folder of all jobs or all cached documents
    page = (counts[PAGES] - counts[1]) / (PAGES - 1)
    assert page <= 4, shown(requests)
    assert counts[1] - page <= 15, shown(requests)


@pytest.mark.thorough
def test_a_page_is_stored_and_cached_at_once_and_a_result_fetches_several_pages_at_once(stack: S3Stack) -> None:
    stack.proxy.delay, stack.proxy.at_once = 0.1, set()
    job = stack.client().submit(numbered.document(4, salt=60), engine="quick")
    assert job.wait(timeout=60).state == "done"
    stack.proxy.delay = 0
    pairs = [sorted(pair) for pair in stack.proxy.at_once if len(pair) == 2]
    pages = [pair for pair in pairs if all("/pages/" in what for what in pair)]
    assert any(all(what.startswith("GET") for what in pair) for pair in pages), pairs
    kept = [pair for pair in pairs if "PUT" in pair[0] and "/cache/" in pair[0] and "/pages/" in pair[1]]
    assert any(pair[0][-11:] == pair[1][-11:] for pair in kept), pairs


def test_the_result_is_fetched_once_for_each_format(stack: S3Stack) -> None:
    job = stack.client().submit(numbered.document(1, salt=77), engine="quick")
    assert job.wait(timeout=60).state == "done"
    stack.proxy.taken()
    job.result("hocr")
    assert [method for method, what, *_ in stack.proxy.taken() if "/result-" in what] == ["GET"]


def test_what_is_sent_of_a_file_is_asked_for_and_nothing_else(stack: S3Stack) -> None:
    client = stack.client()
    spool, job = client.spool, client.submit(numbered.document(1, salt=78), engine="quick").id
    eventually(lambda: spool.exists(job, END))
    with spool.open_write_bytes(job, "result-8.json") as file:
        file.write(bytes(range(256)) * 10_000)
    stack.proxy.taken()
    content = spool.content(job, "result-8.json")
    assert content.size == 2_560_000
    assert b"".join(content.part(1_000_000, 300_000)) == (bytes(range(256)) * 10_000)[1_000_000:1_300_000]
    assert [(method, down) for method, _, _, down in stack.proxy.taken()] == [("HEAD", 0), ("GET", 300_000)]
    with spool.open_write_bytes(job, "result-8.json") as file:
        file.write(b"other")
    with pytest.raises(StorageError):
        list(content.part(0, 5))
    assert spool.content(job, "result-8.json").version != content.version
    with pytest.raises(FileNotFoundError):
        spool.content(job, "result-9.json")


@pytest.mark.thorough
def test_pages_wait_for_a_storage_that_is_away_longer_than_a_page_may_take(stack: S3Stack) -> None:
    job = stack.client().submit(numbered.document(20, salt=3), engine="quick")
    eventually(lambda: job.status().ok >= 2)
    stack.proxy.is_away = True
    eventually(lambda: "waiting for the storage" in stack.text("worker"))
    stack.redis.hdel(names.CACHE, "counted")
    Celery(broker=stack.client().settings.redis, set_as_current=False).send_task(
        names.TRIM, queue=names.MAINTENANCE_QUEUE
    )
    eventually(lambda: "the page cache could not be looked at" in stack.text("documents"))
    time.sleep(5)  # longer than a page may take
    stack.proxy.is_away = False
    status = job.wait(timeout=60)
    assert (status.state, status.ok) == ("done", 20)
    assert {page["attempts"] for page in job.result()["pages"]} == {0}
    log = stack.text("worker") + stack.text("documents")
    assert "the storage answers again" in log
    assert "Traceback" not in log
    assert "never retrieved" not in log


@pytest.mark.thorough
def test_pages_are_given_back_uncounted_when_the_storage_is_away_for_too_long(stack: S3Stack) -> None:
    stack.app = "tests.support.impatient_app"
    stack.start_worker("impatient", engines="impatient=tests.support.engines:Quick", children=1)
    stack.app = "tasks.app"
    job = stack.client().submit(numbered.document(20, salt=4), engine="impatient")
    eventually(lambda: job.status().ok >= 2)
    stack.proxy.is_away = True
    eventually(lambda: stack.text("impatient").count("given back, because the storage is away") >= 4)
    assert job.status().failed == 0
    stack.proxy.is_away = False
    status = job.wait(timeout=60)
    assert (status.state, status.ok) == ("done", 20)
    assert {page["attempts"] for page in job.result()["pages"]} == {0}


def test_a_submission_to_a_bucket_that_does_not_exist_says_so(stack: S3Stack, tmp_path: Path) -> None:
    (tmp_path / "page.tif").write_bytes(numbered.document(1))
    run = stack.submit(
        "ocr", "--no-wait", str(tmp_path / "page.tif"), env=stack.env | {"OCR_SPOOL_URL": "s3://ocr-none/x"}
    )
    assert run.returncode == 6
    assert "the bucket ocr-none does not exist" in run.stderr
    assert len(run.stderr.splitlines()) == 1


@pytest.mark.thorough
def test_doctor_and_a_worker_that_starts_say_in_one_line_that_the_storage_is_away(stack: S3Stack) -> None:
    stack.proxy.is_away = True
    run = stack.submit("doctor")
    stack.spawn("late", stack._celery("worker", "-Q", "documents", "-c", "1")).wait(60)
    stack.proxy.is_away = False
    lines = [line for line in (run.stdout + run.stderr).splitlines() if "does not answer" in line]
    assert (run.returncode != 0, len(lines), "Traceback" in run.stderr) == (True, 1, False), run
    lines = [line for line in stack.text("late").splitlines() if "does not answer" in line]
    assert (len(lines), "Traceback" in stack.text("late")) == (1, False), stack.text("late")


@pytest.mark.thorough
def test_the_night_asks_the_storage_about_no_job_that_redis_knows(stack: S3Stack) -> None:
    spool = Spool(stack.url)
    client = stack.client()
    known = [client.submit(numbered.document(1, salt=50 + n), engine="quick") for n in range(3)]
    for job in known:
        assert job.wait(timeout=60).state == "done"
        eventually(lambda job=job: spool.exists(job.id, END))
    stack.proxy.taken()
    assert remove_unknown_folders(Settled(stack.redis), spool, 3600) == 0
    assert [what for _, what, *_ in stack.proxy.taken()] == ["list ocr/jobs/"]


class Settled(Ledger):
    """A ledger whose server says that it has run for a day."""

    def __init__(self, redis) -> None:
        super().__init__(redis)
        self.redis = _LongUp(redis)


class _LongUp:
    def __init__(self, redis) -> None:
        self._redis = redis

    def __getattr__(self, name: str):
        return getattr(self._redis, name)

    def info(self, *_: str) -> dict[str, int]:
        return {"uptime_in_seconds": 86_400}
