"""The nightly audit in a real stack: once, on the machine's own directory, with a report and a readable result."""

import json
import os
import re
import shelve
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from redis import Redis

from ocrqueue import names
from ocrqueue.ledger import Ledger
from ocrqueue.models import ModelSettings, ModelStore
from ocrqueue.models.nightly import run_night
from ocrqueue.steps.housekeeping import once_a_night, remove_old_reports, remove_unknown_folders
from ocrqueue.storage.spool import Spool
from tests.support.harness import NUMBERED, Stack, eventually
from tests.support.models import DAY, NOW, A, Directory


@pytest.fixture
def stack(short_folder: Path) -> Iterator[Stack]:
    stack = Stack(short_folder, OCR_AUDIT_AT="03:00")
    stack.start_redis()
    yield stack
    stack.close()


def results(stack: Stack) -> list[dict[str, object]]:
    found = [json.loads(str(stack.redis.get(key))) for key in stack.redis.scan_iter("celery-task-meta-*")]
    return [record["result"] for record in found if record["status"] == "SUCCESS"]


def test_two_beats_one_night(stack: Stack) -> None:
    directory = Directory(stack.folder / "data" / "models")
    directory.folder("old_GLM")
    directory.cached("org/foreign")
    stack.start_documents()
    worker = stack.start_worker(engines=NUMBERED)
    store = ModelStore(ModelSettings(directory.root))
    queue = names.models_queue(store.id)
    assert queue in worker.queues
    for _ in range(2):
        send_audit(stack)
    eventually(lambda: len(results(stack)) == 4)
    (summary,) = [r for r in results(stack) if "pruned" in r]
    assert [str(name).split("@")[0] for name in summary["pruned"]] == ["old_GLM"]  # type: ignore[attr-defined]
    assert summary["by_status"] == {"OLD": 1, "FOREIGN": 1}
    (common,) = [r for r in results(stack) if "jobs_removed" in r]
    assert common["directories"] == [store.id]
    assert sum("skipped" in r for r in results(stack)) == 2
    report = stack.folder / "data" / "reports" / "latest"
    assert str(report.resolve()) == summary["report"]
    assert json.loads((report / "models.json").read_text())["by_status"] == summary["by_status"]
    assert "moved old_GLM@" in (report / "models.txt").read_text()
    assert len(re.findall(r"INFO .*moved old_GLM@", stack.text("worker"))) == 1
    assert [entry.name for entry in store.trashed()] == ["old_GLM"]


def send_audit(stack: Stack) -> None:
    """What beat sends at night."""
    from celery import Celery

    with Celery(broker=stack.client().settings.redis, backend=None) as app:
        app.send_task(names.AUDIT, queue=names.MAINTENANCE_QUEUE)


def test_beat_catches_up_on_a_night_it_was_down(stack: Stack) -> None:
    """Beat's schedule file says that it last ran days ago."""
    data = stack.folder / "data"
    stack.start_documents()
    stack.start_beat()
    eventually(lambda: stack.redis.exists(names.RECONCILER))
    stack.kill("beat", 15)
    assert not stack.redis.keys(f"{names.PREFIX}night:*")
    with shelve.open(str(data / "beat-schedule"), writeback=True) as schedule:
        entry = schedule["entries"]["audit"]
        entry.last_run_at -= timedelta(days=3)
    stack.start_beat()
    eventually(lambda: stack.redis.keys(f"{names.PREFIX}night:jobs:*"))


def test_a_failed_night_may_be_done_by_somebody_else(redis: Redis) -> None:
    def fail() -> None:
        with once_a_night(redis, "x") as first:
            assert first
            raise OSError("no")

    with pytest.raises(OSError, match="no"):
        fail()
    for expected in (True, False):
        with once_a_night(redis, "x") as first:
            assert first is expected


def test_a_report_only_directory_moves_nothing(tmp_path: Path) -> None:
    directory = Directory(tmp_path / "models")
    directory.folder("old_GLM")
    night = run_night(directory.store(prune="report"), (), tmp_path / "reports")
    assert (directory.root / "old_GLM").exists()
    assert night.summary()["dry_run"] is True
    again = run_night(directory.store(prune="report"), (), tmp_path / "reports")
    assert again.report != night.report
    assert (tmp_path / "reports" / "latest").resolve() == again.report
    assert "would move old_GLM" in (again.report / "models.txt").read_text()


def test_a_night_reads_hashes_once_a_week(tmp_path: Path) -> None:
    directory = Directory(tmp_path / "models")
    blob = (directory.cached("org/model", pulled=NOW) / "model.safetensors").resolve()
    assert not run_night(directory.store(), (), tmp_path / "reports").audit.models[0].problems
    about = blob.stat()
    blob.write_bytes(blob.read_bytes()[:-1] + b"!")
    os.utime(blob, ns=(about.st_atime_ns, about.st_mtime_ns))
    for nights, found in ((1, False), (7, True)):
        night = run_night(directory.store(NOW + nights * DAY), (), tmp_path / "reports")
        assert bool(night.audit.models[0].problems) is found


def test_models_that_open_jobs_need_are_in_use(redis: Redis) -> None:
    from ocrqueue.models.needed import open_models

    redis.hset("ocr:job:1", mapping={"model": "org/model", "revision": A})
    redis.zadd(names.OPEN, {"1": 1, "2": 2})
    assert open_models(redis) == {("org/model", A)}


def test_old_reports_go_and_the_newest_stays(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        (tmp_path / name).mkdir()
        os.utime(tmp_path / name, (NOW - 40 * DAY, NOW - 40 * DAY))
    os.utime(tmp_path / "b", (NOW, NOW))
    (tmp_path / "latest").symlink_to("c")
    assert remove_old_reports(tmp_path, 30 * DAY, NOW) == 1
    assert sorted(p.name for p in tmp_path.iterdir()) == ["b", "c", "latest"]
    assert remove_old_reports(tmp_path / "none", 1, NOW) == 0


def test_spool_folders_that_no_ledger_knows_go_when_they_are_old(
    redis: Redis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ocrqueue.steps import housekeeping

    spool, ledger = Spool(str(tmp_path / "spool")), Ledger(redis)
    spool.prepare()
    old, fresh, known = (str(uuid4()) for _ in range(3))
    for job in (old, fresh, known):
        spool.write_json(job, "job.json", {})
        spool.put_password(job, b"secret")
    for job in (old, known):
        for path in [*(tmp_path / "spool" / "jobs" / job).rglob("*"), tmp_path / "spool" / "jobs" / job]:
            os.utime(path, (time.time() - 31 * DAY,) * 2)
    redis.hset(names.job_key(known), "v", "1")
    assert remove_unknown_folders(ledger, spool, 30 * DAY) == 0  # Redis has just been started
    monkeypatch.setattr(housekeeping, "_SETTLED_SECONDS", 0)
    assert remove_unknown_folders(ledger, spool, 30 * DAY) == 1
    assert sorted(spool.jobs()) == sorted([fresh, known])


@pytest.mark.parametrize("url", ["{folder}", "memory://models-night-{id}"])
def test_when_a_job_was_last_written(tmp_path: Path, url: str) -> None:
    spool, job = Spool(url.format(folder=tmp_path / "spool", id=uuid4())), str(uuid4())
    spool.prepare()
    assert spool.changed(job) is None
    spool.write_json(job, "job.json", {})
    assert abs(time.time() - (spool.changed(job) or 0)) < 60
