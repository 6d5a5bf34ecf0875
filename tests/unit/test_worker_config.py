"""Settings of a worker, and settings of Celery. A worker with a wrong setting does not start."""

import json
import os
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

from ocrqueue.settings import SettingsError
from tests.support.thorough import thorough_but

PROJECT = Path(__file__).parents[2]

# Prints when beat sends the next audit, if it sent the last one at the times in argv; in local time.
NEXT_AUDITS = """
import sys
from datetime import datetime
from worker.app import app

schedule = app.conf.beat_schedule["audit"]["schedule"]
schedule.app = app
for given in sys.argv[1:]:
    now = datetime.fromisoformat(given)
    schedule.nowfun = lambda: now.astimezone(app.timezone)
    print((now + schedule.remaining_estimate(schedule.nowfun())).astimezone().isoformat())
"""

# Prints the limits of a worker that is made, but not started.
LIMITS = """
import json, sys
from celery.signals import worker_init
from worker import signals
from worker.app import app

app.loader.import_default_modules()
app.amqp.queues.select(sys.argv[1].split(","))
worker_init.send(sender=app.Worker(app=app, queues=sys.argv[1]))
print(json.dumps({
    "page": app.tasks["ocr.page"].time_limit,
    "others": app.conf.task_time_limit,
    "tasks": app.conf.worker_max_tasks_per_child,
}))
"""


def run(program: str, *args: str, **env: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", program, *args],
        cwd=PROJECT, env={**os.environ, **env}, capture_output=True, text=True, timeout=100,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize(
    ("zone", "offsets"),
    thorough_but(
        1,
        [
            ("America/New_York", ["-05:00", "-04:00", "-04:00", "-05:00"]),
            ("UTC", ["+00:00"] * 4),
            ("Asia/Kolkata", ["+05:30"] * 4),
        ],
    ),
)
def test_the_audit_is_sent_at_its_local_time(zone: str, offsets: list[str], tmp_path: Path) -> None:
    # Winter, summer, and the nights in which New York changes its clocks.
    starts = ["2026-01-10T12:00:00+00:00", "2026-07-10T12:00:00+00:00",
              "2026-03-07T21:00:00+00:00", "2026-10-31T21:00:00+00:00"]  # fmt: skip
    due = run(NEXT_AUDITS, *starts, TZ=zone, OCR_AUDIT_AT="03:30", OCR_DATA_DIR=str(tmp_path)).split()
    dates = ["2026-01-11", "2026-07-11", "2026-03-08", "2026-11-01"]
    assert due == [f"{date}T03:30:00{offset}" for date, offset in zip(dates, offsets, strict=True)]


@pytest.mark.parametrize(
    ("engine", "batch"),
    [("numbered=tests.support.engines:Numbered", 1), ("batching=tests.support.engines:Batching", 8)],
)
def test_celerys_time_limit_is_longer_than_any_limit_inside_a_child(engine: str, batch: int, tmp_path: Path) -> None:
    seconds = {"OCR_PAGE_SECONDS": "40", "OCR_LOAD_SECONDS": "7", "OCR_OPEN_SECONDS": "500"}
    queue = "pages." + engine.partition("=")[0]
    env = {"OCR_WORKER_ENGINES": engine, "OCR_DATA_DIR": str(tmp_path), **seconds}
    limits = json.loads(run(LIMITS, queue, **env).splitlines()[-1])
    assert limits["page"] > 7 + batch * 40
    assert limits["others"] > 500 + 7 + 40  # a task may open a job and assemble it
    assert limits["tasks"] == 200


def test_a_worker_that_reads_no_pages_keeps_its_children_for_longer(tmp_path: Path) -> None:
    env = {"OCR_DATA_DIR": str(tmp_path), "OCR_MAX_TASKS_PER_CHILD": "30"}
    assert json.loads(run(LIMITS, "documents", **env).splitlines()[-1])["tasks"] == 300


@pytest.mark.parametrize(
    ("name", "value"),
    thorough_but(
        2,
        [
            ("OCR_CHILDREN", "0"),
            ("OCR_WORKER_ENGINES", "tesserakt"),
            ("OCR_MAX_TASKS_PER_CHILD", "none"),
            ("OCR_ALLOWED_SOURCES", "inbox"),
            ("OCR_AUDIT_AT", "3 o'clock"),
            ("OCR_SPOOL_GROUP", "no-such-group-here"),
            ("OCR_TESSERACT_LANG", "xx"),
            ("OCR_TESSERACT_LANG", "ru+"),
        ],
    ),
)
def test_a_worker_does_not_start_with_a_wrong_setting(name: str, value: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "celery", "-A", "tasks.app", "worker"],
        cwd=PROJECT, env={**os.environ, name: value}, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode != 0
    lines = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]
    assert len(lines) == 1, lines
    assert name in lines[0]
    assert value in lines[0]


@pytest.mark.parametrize(
    ("name", "highest"),
    [
        *((f"OCR_{what}_SECONDS", 604_800) for what in ("OPEN", "PAGE", "LOAD", "IDLE", "HTTP_STALL")),
        *((f"OCR_{what}_SECONDS", 31_536_000) for what in ("REREAD", "HTTP_QUEUE")),
        *((f"OCR_{what}_DAYS", 36_500) for what in ("KEEP_JOBS", "MODEL_UNUSED", "TRASH")),
        *((f"OCR_{what}_MAX_GB", 1_000_000) for what in ("CACHE", "MODEL_DIR")),
        ("OCR_NO_WORKER_MINUTES", 525_600),
        *((f"OCR_{what}", 10**9) for what in ("MAX_PAGES", "MAX_QUEUED_PAGES", "MAX_CHILD_MB", "MLX_CACHE_MB")),
    ],
)
def test_numbers_have_an_upper_limit(monkeypatch: pytest.MonkeyPatch, name: str, highest: int) -> None:
    """A larger one would be accepted and break a task later, or let a page take for ever."""
    monkeypatch.setenv(name, str(highest))
    runpy.run_path(str(PROJECT / "worker_config.py"))
    monkeypatch.setenv(name, str(highest + 1))
    with pytest.raises(SettingsError, match=rf"^{name}='{highest + 1}' is not allowed: a .*number, \d+ to {highest}$"):
        runpy.run_path(str(PROJECT / "worker_config.py"))


@pytest.mark.parametrize("value", thorough_but(1, ["me:sec,x:y", "no-colon", "me,you:secret"]))
def test_a_password_that_flower_cannot_use_is_refused_and_not_shown(value: str) -> None:
    """Flower would take one with commas for several, and refuse the whole of it."""
    done = subprocess.run(
        [sys.executable, "-c", "import worker.flower"],
        cwd=PROJECT, env={**os.environ, "OCR_FLOWER_PASSWORD": value}, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 2
    assert done.stderr == "ocr: OCR_FLOWER_PASSWORD is not allowed: user:password, without commas and blanks\n"
