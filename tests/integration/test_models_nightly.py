"""The nightly audit in a real stack: it runs once for each model directory, with a report and a readable result."""

import json
import os
import re
import shelve
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from redis import Redis

from ocrqueue import names
from ocrqueue.models import ModelSettings, ModelStore
from ocrqueue.models.nightly import last_audit, run_night
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


def test_two_messages_of_beat_cause_one_audit(stack: Stack) -> None:
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
    """Send the message that beat sends every night."""
    from celery import Celery

    with Celery(broker=stack.client().settings.redis, backend=None) as app:
        app.send_task(names.AUDIT, queue=names.MAINTENANCE_QUEUE)


@pytest.mark.thorough
def test_beat_sends_an_audit_that_it_missed(stack: Stack) -> None:
    data = stack.folder / "data"
    stack.start_documents()
    stack.start_beat()
    eventually(lambda: stack.redis.exists(names.RECONCILER))
    stack.kill("beat", 15)
    assert not stack.redis.keys(f"{names.PREFIX}night:*")
    with shelve.open(str(data / "beat-schedule"), writeback=True) as schedule:
        entry = schedule["entries"]["audit"]
        entry.last_run_at -= timedelta(days=3)  # as if beat had been stopped since then
    stack.start_beat()
    eventually(lambda: stack.redis.keys(f"{names.PREFIX}night:jobs:*"))


def test_a_report_only_directory_moves_nothing(tmp_path: Path) -> None:
    directory = Directory(tmp_path / "models")
    directory.folder("old_GLM")
    night = run_night(directory.store(prune="report"), (), tmp_path / "reports")
    assert (directory.root / "old_GLM").exists()
    assert night.summary()["dry_run"] is True
    again = run_night(directory.store(prune="report"), (), tmp_path / "reports")
    assert again.report != night.report
    assert (tmp_path / "reports" / "latest").resolve() == again.report
    assert [folder.stat().st_mode & 0o777 for folder in (tmp_path / "reports", again.report)] == [0o700, 0o700]
    assert "would move old_GLM" in (again.report / "models.txt").read_text()


def test_before_the_night_one_sees_what_it_will_select_and_when_it_last_looked(tmp_path: Path) -> None:
    directory, reports = Directory(tmp_path / "models"), tmp_path / "reports"
    directory.folder("old_GLM")
    audit, chosen = directory.store().preview()
    assert [name for name, _ in chosen] == ["old_GLM"]
    assert (directory.root / "old_GLM").exists()
    assert last_audit(reports, audit.directory) is None
    night = run_night(directory.store(), (), reports)
    assert [(model.name, model.revision) for model in night.pruning.moved] == list(chosen)
    run_night(Directory(tmp_path / "others").store(NOW + DAY), (), reports)
    assert last_audit(reports, audit.directory) == night.audit.to_json()["when"]
    assert directory.store().preview()[1] == {}


def test_the_nightly_audit_reads_a_file_once_a_week(tmp_path: Path) -> None:
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
