"""Housekeeping: old reports and old spool folders without a job are removed; a lock makes this happen once a night."""

import os
import time
from pathlib import Path
from uuid import uuid4

import pytest
from redis import Redis

from ocrqueue import names
from ocrqueue.ledger import Ledger
from ocrqueue.steps.housekeeping import once_a_night, remove_old_reports, remove_unknown_folders
from ocrqueue.storage.spool import Spool
from tests.support.models import DAY, NOW


def test_after_a_failure_another_process_may_do_the_nightly_work(redis: Redis) -> None:
    def fail() -> None:
        with once_a_night(redis, "x") as first:
            assert first
            raise OSError("no")

    with pytest.raises(OSError, match="no"):
        fail()
    for expected in (True, False):
        with once_a_night(redis, "x") as first:
            assert first is expected


def test_old_reports_are_removed_except_the_newest(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        (tmp_path / name).mkdir()
        os.utime(tmp_path / name, (NOW - 40 * DAY, NOW - 40 * DAY))
    os.utime(tmp_path / "b", (NOW, NOW))
    (tmp_path / "latest").symlink_to("c")
    assert remove_old_reports(tmp_path, 30 * DAY, NOW) == 1
    assert sorted(p.name for p in tmp_path.iterdir()) == ["b", "c", "latest"]
    assert remove_old_reports(tmp_path / "none", 1, NOW) == 0


def test_old_spool_folders_without_a_job_are_removed(
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
    assert remove_unknown_folders(ledger, spool, 30 * DAY) == 0  # Redis was started a moment ago and may have lost jobs
    monkeypatch.setattr(housekeeping, "_SETTLED_SECONDS", 0)
    assert remove_unknown_folders(ledger, spool, 30 * DAY) == 1
    assert sorted(spool.jobs()) == sorted([fresh, known])


@pytest.mark.parametrize("url", ["{folder}", "memory://models-night-{id}"])
def test_the_time_when_a_job_was_last_written(tmp_path: Path, url: str) -> None:
    spool, job = Spool(url.format(folder=tmp_path / "spool", id=uuid4())), str(uuid4())
    spool.prepare()
    assert spool.changed(job) is None
    spool.write_json(job, "job.json", {})
    assert abs(time.time() - (spool.changed(job) or 0)) < 60
