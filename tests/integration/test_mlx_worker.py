"""The engine `mlx-vlm` in real workers: when models are loaded and freed, and the cache is cleared."""

import json
import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.support import numbered, tiny
from tests.support.engines import DOUBTFUL
from tests.support.harness import Stack, eventually, running

pytestmark = pytest.mark.needs("mlx")

LOADED = re.compile(r"loaded engine=mlx-vlm .*pid=(\d+) loads=(\d+)")
MEMORY = re.compile(r"memory rss=(\d+) active=(\d+) cache=(\d+) peak=(\d+) tasks=(\d+) loads=(\d+)")
QUEUE = f"pages.mlx-vlm.{tiny.NAME}"


@pytest.fixture(scope="module")
def shared() -> Iterator[Stack]:
    """Redis and the documents worker; each test starts its own page worker."""
    with running(OCR_MODEL=str(tiny.FOLDER), OCR_MLX_PROMPT=tiny.PROMPT, OCR_PAGE_SECONDS="60") as stack:
        stack.start_documents(children=1)
        yield stack


@pytest.fixture
def stack(shared: Stack) -> Iterator[Stack]:
    yield shared
    for name in set(shared.processes) - {"redis", "documents"}:
        shared.kill(name, signal.SIGTERM)
        shared.log(name).unlink()


def start(stack: Stack, **env: str) -> None:
    """Start a worker for the tiny model, and wait until its child is listed."""
    stack.start_worker(engines="mlx-vlm", **env)
    eventually(lambda: [c for c in stack.client().children() if c.models or env.get("OCR_RELEASE")], 60)


def read(stack: Stack, wanted: list[str], **options: object) -> list[dict[str, object]]:
    """Submit pages with these texts, check that each is read exactly, and return them."""
    job = stack.client().submit(tiny.document(tiny.pages(wanted)), engine="mlx-vlm", fresh=True, **options)  # type: ignore[arg-type]
    assert job.wait(timeout=60).state == "done"
    pages: list[dict[str, object]] = job.result()["pages"]
    assert [page["text"] for page in pages] == wanted
    return pages


def test_a_model_is_loaded_once_per_child_and_the_cache_cleared_after_every_task(stack: Stack) -> None:
    worker = stack.start_worker(engines="mlx-vlm", OCR_MAX_TASKS_PER_CHILD="4")
    assert QUEUE in worker.queues
    pages = read(stack, tiny.texts(40))
    assert {(page["engine"], page["model"]) for page in pages} == {("mlx-vlm", tiny.NAME)}
    for page in pages:
        memory = page["memory"]
        assert isinstance(memory, dict)
        assert memory["cache"] > 0  # at the end of read(), before clearing
        assert memory["rss"] > memory["peak"] > memory["active"] > 4_000_000
    loads = LOADED.findall(stack.text("worker"))
    assert len(loads) > 2, "no child was replaced"
    assert {count for _, count in loads} == {"1"}
    assert len({pid for pid, _ in loads}) == len(loads)
    notes = [tuple(map(int, note)) for note in MEMORY.findall(stack.text("worker"))]
    assert len(notes) >= 10
    assert {cache for _, _, cache, *_ in notes} == {0}
    active = [active for _, active, *_ in notes]
    assert max(active) - min(active) <= min(active) / 100


@pytest.mark.thorough
def test_the_cache_is_not_empty_if_the_worker_does_not_clear_it(stack: Stack) -> None:
    command = [
        part.replace("tasks.app", "tests.support.unclearing")
        for part in stack._celery("worker", "-l", "INFO", "-c", "1")
    ]
    stack._start("worker", [*command, "-n", "worker@test"], OCR_WORKER_ENGINES="mlx-vlm")
    read(stack, tiny.texts(8))
    caches = [int(note[2]) for note in eventually(lambda: MEMORY.findall(stack.text("worker")), 10)]
    assert min(caches) > 0


def test_the_commands_models_unload_and_models_memory(stack: Stack) -> None:
    start(stack)
    wanted = tiny.texts(3)
    read(stack, wanted)
    before = json.loads(stack.submit("models", "memory", "--json").stdout.splitlines()[-1])
    (pid,) = stack.children("worker")
    (child,) = [c for c in stack.client().children() if c.pid == pid]
    assert child.models == {"mlx-vlm": tiny.NAME}
    assert (child.loads, child.cache) == (1, 0)
    assert child.tasks >= 1
    assert child.rss
    assert child.active
    assert child.peak
    assert child.loaded_since
    assert child.last_used
    assert before.keys() >= {"pid", "models", "tasks", "rss", "active", "cache", "peak", "loaded_since", "last_used"}
    done = stack.submit("models", "unload")
    assert done.returncode == 0
    assert f"{pid}: freed" in done.stdout
    assert len(done.stdout.splitlines()) == 2  # one of them is the documents worker's child
    (child,) = [c for c in stack.client().children() if c.pid == pid]
    assert (child.models, child.loaded_since, child.cache) == ({}, None, 0)
    assert child.active is not None
    assert child.active < 4096
    assert str(pid) in stack.submit("models", "memory").stdout
    read(stack, wanted)
    assert LOADED.findall(stack.text("worker")) == [(str(pid), "1"), (str(pid), "2")]


@pytest.mark.thorough
def test_a_busy_child_frees_its_model_after_its_page(stack: Stack) -> None:
    stack.start_worker(engines="slow=tests.support.engines:Slow", OCR_PRELOAD="1")
    eventually(lambda: [c for c in stack.client().children() if c.models])
    job = stack.client().submit(numbered.document(4), engine="slow")
    eventually(lambda: job.status().ok >= 1)
    answers = list(stack.client().unload(30))
    assert {answer.outcome for answer in answers} == {"freed"}
    assert job.wait(timeout=60).state == "done"
    assert "its models are freed, as it was asked" in stack.text("worker")
    assert stack.text("worker").count("loaded engine=slow") == 2


@pytest.mark.thorough
def test_an_idle_child_frees_its_model(stack: Stack) -> None:
    start(stack, OCR_IDLE_SECONDS="1")
    eventually(lambda: "idle for 1 s: its models are freed" in stack.text("worker"), 20)
    (pid,) = stack.children("worker")
    eventually(lambda: [c for c in stack.client().children() if c.pid == pid and not c.models])
    read(stack, tiny.texts(2))
    assert [loads for _, loads in LOADED.findall(stack.text("worker"))] == ["1", "2"]


@pytest.mark.thorough
def test_a_model_may_be_freed_after_every_task(stack: Stack) -> None:
    start(stack, OCR_RELEASE="task", OCR_MLX_BATCH="1")
    read(stack, tiny.texts(3))
    notes = eventually(lambda: (n := MEMORY.findall(stack.text("worker"))) and len(n) >= 3 and n, 10)
    assert all(int(active) < 4096 and cache == "0" for _, active, cache, *_ in notes)
    assert [loads for *_, loads in notes][:3] == ["1", "2", "3"]


@pytest.mark.thorough
def test_a_spawned_child_reads(stack: Stack) -> None:
    start(stack, OCR_START_METHOD="spawn")
    read(stack, tiny.texts(6))
    assert "SpawnPoolWorker" in stack.text("worker")
    outcomes = {a.outcome for a in stack.client().unload(30)}
    assert outcomes == {"freed"}
    read(stack, tiny.texts(2))


@pytest.mark.thorough
def test_a_page_that_is_too_long_keeps_its_text_with_a_warning_and_is_not_cached(stack: Stack) -> None:
    start(stack, OCR_MLX_MAX_TOKENS="16", OCR_CACHE_MAX_GB="1")
    document = tiny.document(tiny.pages(["ABC 123", "ABCDEFGH\n12345678\nABCDEFGH"]))
    for is_again in (False, True):
        job = stack.client().submit(document, engine="mlx-vlm")
        assert job.wait(timeout=60).state == "done"
        short, long = job.result()["pages"]
        assert (short["text"], short["warnings"], short["cached"]) == ("ABC 123", [], is_again)
        assert (long["text"], long["cached"]) == ("ABCDEFGH\n1234567", False)
        assert [warning["code"] for warning in long["warnings"]] == ["cut_off"]
    assert "page 2: cut_off: the text was cut off after 16 tokens" in stack.submit("status", job.id).stderr


@pytest.mark.thorough
def test_a_model_for_poorly_read_pages_reads_what_another_engine_has_read_poorly(stack: Stack) -> None:
    engines = "rapidocr=tests.support.engines:Doubtful,mlx-vlm"
    stack.start_worker(engines=engines, OCR_VLM_PAGES="poor", OCR_CACHE_MAX_GB="1")
    like_it, unlike_it = "ABC 123\nDEFG 4567", "7KQ2WX\nM0PZ81"
    document = tiny.document([*tiny.pages([like_it, unlike_it]), tiny.black()])
    for is_again in (False, True):
        result = stack.client().submit(document).result(timeout=120)
        assert (result["state"], [page["cached"] for page in result["pages"]]) == ("done", [is_again] * 3)
        better, worse, loop = result["pages"]
        assert (better["text"], better["engine"], better["model"]) == (like_it, "mlx-vlm", tiny.NAME)
        assert (better["quality"], better["warnings"]) == (None, [])
        assert [(r["engine"], r["kept"]) for r in better["readings"]] == [("rapidocr", False), ("mlx-vlm", True)]
        for page in (worse, loop):
            assert (page["text"], page["engine"]) == (DOUBTFUL, "rapidocr")
            assert [(r["engine"], r["kept"]) for r in page["readings"]] == [("rapidocr", True), ("mlx-vlm", False)]
        assert loop["readings"][1]["error"]["code"] == "degenerate_output"
    (vision,) = [one for one in stack.client().engines() if one.engine == "mlx-vlm"]
    assert vision.pages == "poor"
    assert "only poorly read pages" in stack.submit("engines").stdout
    assert stack.client().submit(document, engine="mlx-vlm", pages="1").result(timeout=60)["pages"][0]["readings"] == []


def cancellation_checks(stack: Stack) -> int:
    """How often a worker has asked Redis whether a job is cancelled, since the statistics were reset."""
    return int(stack.redis.info("commandstats").get("cmdstat_hexists", {"calls": 0})["calls"])


@pytest.mark.thorough
def test_a_cancelled_job_stops_its_page_while_it_is_generated(stack: Stack) -> None:
    start(stack)
    children = stack.children("worker")
    endless = tiny.document([tiny.black((960, 960))])  # generates for half a minute
    job = stack.client().submit(endless, engine="mlx-vlm")
    eventually(lambda: stack.redis.zcard("ocr:claims"))
    stack.redis.config_resetstat()
    eventually(lambda: cancellation_checks(stack) > 2, 60)  # the engine generates
    job.cancel()
    status = job.wait(timeout=100)  # a page that is not stopped counts as read, or ends its child
    assert (status.state, status.cancelled, status.ok) == ("cancelled", 1, 0)
    assert stack.children("worker") == children
    read(stack, tiny.texts(1))


@pytest.mark.thorough
def test_the_parent_does_not_load_mlx_and_the_child_releases_the_folder(stack: Stack, tmp_path: Path) -> None:
    folder = tiny.copy_to(tmp_path)
    start(stack, OCR_MODEL=str(folder), OCR_MODEL_DIR=str(tmp_path / "none"))
    read(stack, tiny.texts(1))
    (pid,) = stack.children("worker")
    parent = psutil.Process(stack.processes["worker"].pid)
    if hasattr(parent, "memory_maps"):
        assert [m.path for m in psutil.Process(pid).memory_maps() if "mlx" in m.path]  # the check works
        assert [m.path for m in parent.memory_maps() if "mlx" in m.path or "transformers" in m.path] == []
        assert [m.path for m in psutil.Process(pid).memory_maps() if m.path.startswith(str(folder))] == []
    assert [f.path for f in psutil.Process(pid).open_files() if f.path.startswith(str(folder))] == []
    assert {a.outcome for a in stack.client().unload(30)} == {"freed"}
    os.rename(folder, tmp_path / "away")  # noqa: PTH104
    assert "model_broken" not in stack.text("worker")


@pytest.mark.thorough
def test_a_broken_model_is_reported_and_its_pages_wait_for_another_worker(stack: Stack, tmp_path: Path) -> None:
    folder = tiny.copy_to(tmp_path)
    (folder / "chat_template.jinja").unlink()
    stack.start_worker("sick", engines="mlx-vlm", OCR_MODEL=str(folder))
    eventually(
        lambda: (
            "model_broken: the model tiny-ocr-vlm cannot be loaded: chat_template.jinja is missing"
            in stack.text("sick")
        )
    )
    job = stack.client().submit(tiny.document(tiny.pages(["ABC"])), engine="mlx-vlm", fresh=True)
    eventually(lambda: "no pages for this engine here for 60 s" in stack.text("sick"), 20)
    start(stack)
    assert job.wait(timeout=60).state == "done"
    assert job.result()["pages"][0]["attempts"] == 0
