"""Children of a worker: they load the model once, are replaced, and end at a page's time limit. The worker goes on."""

import base64
import io
import json
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image, ImageDraw, ImageFont

from ocrqueue.ledger.workers import live, withdraw
from tests.support import numbered
from tests.support.harness import Stack, eventually, running
from tests.support.ledger_steps import dead
from tests.support.thorough import thorough_but

LOADED = re.compile(r"loaded engine=numbered .*pid=(\d+) loads=(\d+)")


@pytest.fixture(scope="module")
def shared_stack() -> Iterator[Stack]:
    with running(OCR_PAGE_SECONDS="2") as stack:
        stack.start_documents(children=1)
        yield stack


@pytest.fixture
def stack(shared_stack: Stack) -> Iterator[Stack]:
    """The module's stack without a page worker; each test starts its own."""
    yield shared_stack
    for name in set(shared_stack.processes) - {"redis", "documents"}:
        shared_stack.kill(name)
        shared_stack.log(name).unlink()
    for worker in live(shared_stack.redis):
        if "documents" not in worker.queues:
            withdraw(shared_stack.redis, worker.id)
    client = shared_stack.client()
    for job in client.jobs():
        client.job(job.id).drop()


def test_each_child_loads_once_and_is_replaced(stack: Stack) -> None:
    stack.start_worker(children=2, OCR_MAX_TASKS_PER_CHILD="5", OCR_MAX_TASK_PER_CHILD="7")
    job = stack.client().submit(numbered.document(30))
    assert job.wait(timeout=60).state == "done"
    loads = LOADED.findall(stack.text("worker"))
    pids = [pid for pid, _ in loads]
    assert len(pids) == len(set(pids)), "a child loaded its model twice"
    assert {count for _, count in loads} == {"1"}
    slip = "OCR_MAX_TASK_PER_CHILD is not a setting, and changes nothing: OCR_MAX_TASKS_PER_CHILD is one"
    assert f"WARNING MainProcess {slip}\n" in stack.text("worker")
    assert len(pids) > 2, "no child was replaced"
    readers = set(re.findall(r"ForkPoolWorker-(\d+) job=", stack.text("worker")))
    assert len(readers) > 2
    assert "loaded engine" not in stack.text("documents")


@pytest.mark.thorough
def test_a_model_may_load_for_longer_than_four_seconds(stack: Stack) -> None:
    stack.start_worker(
        engines="slow-loading=tests.support.engines:SlowLoading", OCR_MAX_TASKS_PER_CHILD="2", OCR_PRELOAD="1"
    )
    job = stack.client().submit(numbered.document(4), engine="slow-loading")
    assert job.wait(timeout=60).state == "done"
    assert stack.text("worker").count("loaded engine=slow-loading") >= 2  # the first child, and one that replaced it


@pytest.mark.parametrize("preload", thorough_but(1, ["1", "0"]))
def test_a_load_longer_than_a_lease_leaves_the_worker_alive(stack: Stack, preload: str) -> None:
    """The load blocks all threads of the child for 5 s. The lease is 3 s; by default it is 45 s."""
    stack.start_beat()
    blocking = "blocking-load=tests.support.engines:BlockingLoad"
    worker = stack.start_worker(engines=blocking, OCR_PRELOAD=preload, OCR_LEASE_SECONDS="3", TEST_LOAD_SECONDS="5")
    children = stack.children("worker")
    job = stack.client().submit(numbered.document(2), engine="blocking-load")
    while "loaded engine=blocking-load" not in stack.text("worker"):
        assert worker.id in {w.id for w in live(stack.redis)}, "the worker no longer announces itself"
        assert job.status().waiting_for is None
        time.sleep(0.1)
    assert job.wait(timeout=100).state == "done"
    assert {page["attempts"] for page in job.result()["pages"]} == {0}
    assert stack.children("worker") == children
    assert stack.text("worker").count("loaded engine=blocking-load") == 1


def test_each_page_that_breaks_its_child_fails_alone(stack: Stack) -> None:
    stack.start_worker(children=2)
    worker = stack.processes["worker"]
    broken = {
        2: (numbered.HANG_IN_C, "timeout"),
        4: (numbered.SLEEP_FOREVER, "timeout"),
        6: (numbered.KILL_CHILD, "worker_lost"),
        8: (numbered.RAISE, "engine_error"),
        10: (numbered.MEMORY_ERROR, "engine_error"),
    }
    job = stack.client().submit(numbered.document(11, {page: behaviour for page, (behaviour, _) in broken.items()}))
    assert job.wait(timeout=60).state == "partial"
    pages = job.result()["pages"]
    assert [p["page"] for p in pages] == list(range(1, 12))
    assert {p["page"]: p["error"]["code"] for p in pages if p["error"]} == {n: code for n, (_, code) in broken.items()}
    assert [p["text"] for p in pages if p["state"] == "ok"] == [numbered.text(n) for n in (1, 3, 5, 7, 9, 11)]
    assert sorted(dead(stack.client().ledger)) == [(job.id, n) for n in broken]
    assert worker.poll() is None, "the worker itself died"
    log = stack.text("worker")
    assert "_behave" in log  # the Python stack of a page over its limit
    assert f"job={job.id}: the child that worked on it is gone (timeout)" in log
    assert stack.client().submit(numbered.document(2, salt=1)).wait(timeout=60).state == "done"


@pytest.mark.thorough
def test_a_batch_over_its_limit_is_read_page_by_page(stack: Stack) -> None:
    stack.start_worker(engines="batching=tests.support.engines:Batching", OCR_PAGE_SECONDS="1")
    job = stack.client().submit(numbered.document(4, {2: numbered.SLEEP_FOREVER}), engine="batching")
    assert job.wait(timeout=60).state == "partial"
    errors = {p["page"]: p["error"]["code"] for p in job.result()["pages"] if p["error"]}
    assert errors == {2: "timeout"}


def test_a_worker_that_ends_at_sigterm_returns_its_page(stack: Stack) -> None:
    stack.start_worker(engines="slow=tests.support.engines:Slow")
    job = stack.client().submit(numbered.document(6), engine="slow")
    eventually(lambda: job.status().ok >= 1)
    stack.kill("worker", 15)
    status = job.status()
    assert status.ok < 6
    assert not stack.redis.zcard("ocr:claims"), "a page that was being read neither ended nor went back"
    stack.start_worker("second", engines="slow=tests.support.engines:Slow")
    assert job.wait(timeout=60).state == "done"
    assert {p["attempts"] for p in job.result()["pages"]} == {0}


@pytest.mark.thorough
def test_sigterm_does_not_wait_for_a_child_that_still_loads(stack: Stack) -> None:
    """It does not wait for a child that hangs either. Neither has a page that could be returned."""
    stack.log("worker").unlink(missing_ok=True)
    blocking = "blocking-load=tests.support.engines:BlockingLoad"
    stack.start_worker(engines=blocking, OCR_SHUTDOWN_SECONDS="1", TEST_LOAD_SECONDS="600")
    process = stack.processes.pop("worker")
    process.terminate()
    assert process.wait(100) == 0
    assert "loaded engine=blocking-load" not in stack.text("worker")
    stack.log("worker").unlink()


@pytest.mark.thorough
def test_a_worker_that_cannot_load_its_model_takes_no_pages(stack: Stack, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    broken.touch()
    stack.start_worker("sick", TEST_ENGINE_BROKEN=str(broken), OCR_PRELOAD="0")
    job = stack.client().submit(numbered.document(3), priority="high", structure=True, name="urgent.tif")
    eventually(lambda: "model_broken" in stack.text("sick"))
    eventually(lambda: stack.redis.llen("pages.numbered\x06\x163") == 2)  # one is passed on, with what it had
    tickets = [json.loads(envelope) for envelope in stack.redis.lrange("pages.numbered\x06\x163", 0, -1)]
    assert {t["headers"]["argsrepr"] for t in tickets} == {f"(urgent.tif, lane {n}, turn 0)" for n in range(2)}
    assert [json.loads(base64.b64decode(t["body"]))[1] for t in tickets] == [{"version": 2}] * 2
    stack.start_worker("healthy")
    status = job.wait(timeout=60)
    assert status.state == "done"
    assert {p["attempts"] for p in job.result()["pages"]} == {0}
    assert stack.text("sick").count("model_broken") == 1


def test_a_worker_loads_no_mlx_and_its_parent_no_engine(stack: Stack) -> None:
    stack.start_worker(engines="rapidocr")
    child = stack.children("worker")[0]
    eventually(lambda: _maps(child, "libopenvino"))  # the check finds loaded libraries
    for name in ("worker", "documents"):
        parent = stack.processes[name].pid
        for library in ("mlx", "onnxruntime", "openvino", "libopenvino", "pymupdf", "cv2"):
            assert not _maps(parent, library), f"{library} is mapped into the parent of {name}"


def _maps(pid: int, library: str) -> list[str]:
    lines = Path(f"/proc/{pid}/maps").read_text().splitlines()
    return [line for line in lines if f"/{library}" in line]


@pytest.mark.thorough
def test_a_sideways_page_is_turned_upright_before_the_engine_reads_it(stack: Stack) -> None:
    stack.start_worker()
    page = Image.new("RGB", (700, 400), "white")
    for number, line in enumerate(
        ("Alice was beginning", "to get very tired", "of sitting by her", "sister on the bank")
    ):
        ImageDraw.Draw(page).text((200, 40 + 80 * number), line, fill="black", font=ImageFont.load_default(36))
    stream = io.BytesIO()
    page.transpose(Image.Transpose.ROTATE_90).save(stream, "PNG")
    job = stack.client().submit(stream.getvalue())
    (result,) = job.result(timeout=60)["pages"]
    assert (result["rotation"], result["width"], result["height"]) == (90, 700, 400)
    assert result["transform"] == [0, 1, 0, -1, 0, 700]
    assert "turned clockwise by 90.00 degrees" in stack.text("worker")
