"""Flower shows the state and pages of jobs. It listens on loopback only, and asks for its password if one is set."""

import json
import signal
from collections.abc import Iterator
from html import escape
from pathlib import Path

import psutil
import pytest
from celery import Celery

from ocrqueue import names
from tests.support import numbered
from tests.support.flower import get, start_flower
from tests.support.harness import Stack, eventually

HOSTILE = "<img src=x onerror=alert(1)>"
SLOW = "slow=tests.support.engines:Slow"


@pytest.fixture
def stack(short_folder: Path) -> Iterator[Stack]:
    stack = Stack(short_folder)
    stack.start_redis()
    yield stack
    stack.close()


def test_a_job_is_running_while_it_runs_and_shows_its_pages(stack: Stack, tmp_path: Path) -> None:
    url = start_flower(stack)
    stack.start_documents(children=1)
    stack.start_worker(engines=SLOW, children=2)
    client = stack.client()
    document = numbered.write(tmp_path / "long report.tif", 8)
    job = client.submit(document, engine="slow")
    eventually(lambda: job.status().ok >= 2)
    running = eventually(lambda: page if "of 8 pages read" in (page := get(f"{url}/task/{job.id}")[1]) else None)
    assert "ocr.document" in running
    assert "(long report.tif)" in running
    assert "PROGRESS" in running
    assert job.wait(timeout=60).state == "done"
    ended = eventually(lambda: page if "SUCCESS" in (page := get(f"{url}/task/{job.id}")[1]) else None)
    assert "done: 8 of 8 pages read" in ended
    failed = client.submit(b"no document", name=f"{HOSTILE}.txt")
    assert failed.wait(timeout=60).state == "failed"
    shown = eventually(lambda: page if "unsupported_format" in (page := get(f"{url}/task/{failed.id}")[1]) else None)
    assert escape(HOSTILE) in shown
    assert HOSTILE not in shown
    documents = stack.processes["documents"]
    documents.send_signal(signal.SIGSTOP)  # once it is opened, Celery's view keeps its progress before the cancelling
    cancelled = client.submit(numbered.document(30), engine="slow", name="unwanted.tif")
    cancelled.cancel()
    documents.send_signal(signal.SIGCONT)
    assert cancelled.wait(timeout=60).state == "cancelled"
    eventually(lambda: "REVOKED" in get(f"{url}/task/{cancelled.id}")[1])
    workers = get(f"{url}/workers?json=1")[1]
    assert {w["hostname"] for w in json.loads(workers)["data"]} == {"worker@test", "documents@test"}


@pytest.mark.thorough
def test_frequent_tasks_of_beat_are_not_listed(stack: Stack) -> None:
    url = start_flower(stack)
    stack.start_documents(children=1)
    stack.start_worker()
    stack.start_beat(1)
    runs: set[object] = set()
    eventually(lambda: runs.add(stack.redis.hget(names.RECONCILER, "last")) or len(runs) > 3)
    with Celery(broker=stack.client().settings.redis) as app:  # an application that sends no events
        app.send_task(names.TRIM, queue=names.MAINTENANCE_QUEUE, priority=0)
    eventually(lambda: not stack.redis.llen(names.MAINTENANCE_QUEUE))  # the only child runs it before the job below
    job = stack.client().submit(numbered.document(1))
    assert job.wait(timeout=60).state == "done"
    seen = eventually(lambda: found if names.ASSEMBLE in (found := get(f"{url}/metrics")[1]) else None)
    assert f'task="{names.DOCUMENT}",type="task-received"' in seen
    assert names.RECONCILE not in seen
    assert names.TRIM not in seen


@pytest.mark.thorough
def test_flower_listens_on_loopback_only(stack: Stack) -> None:
    url = start_flower(stack)
    open_sockets = psutil.Process(stack.processes["flower"].pid).net_connections("inet")
    assert {s.laddr.ip for s in open_sockets if s.status == psutil.CONN_LISTEN} == {"127.0.0.1"}
    assert get(f"{url}/api/workers")[0] == 401  # a web page that a browser shows cannot use the API
    for path in ("/tasks", "/metrics", "/static/css/flower.css", "/nowhere"):
        for foreign in ({"Host": "evil.example"}, {"Origin": "http://evil.example"}, {"Sec_Fetch_Site": "cross-site"}):
            assert get(f"{url}{path}", **foreign)[0] == 403, "a page that points its name to this machine reads nothing"
    assert get(f"{url}/tasks", Host="localhost:5555")[0] == 200
    assert (stack.folder / "data" / "flower").stat().st_mode & 0o777 == 0o700


def test_flower_asks_for_its_password_and_no_process_list_shows_it(stack: Stack) -> None:
    """Its password and the address of Redis are in files, as the secrets of a container are."""
    secrets = {"OCR_FLOWER_PASSWORD_FILE": "anna:hunter2", "REDIS_URL_FILE": stack.env["REDIS_URL"]}
    for name, value in secrets.items():
        (stack.folder / name).write_text(f"{value}\n")
    url = start_flower(stack, REDIS_URL="", **{name: str(stack.folder / name) for name in secrets})
    assert get(f"{url}/tasks")[0] == 401
    assert get(f"{url}/tasks", "anna:hunter2", Host="queue.example.org")[0] == 200
    command = Path(f"/proc/{stack.processes['flower'].pid}/cmdline").read_text()
    assert "hunter2" not in command
