"""A submission whose answer is lost, or whose process is killed: the job and its bytes exist, or neither does."""

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis

from ocrqueue import names
from ocrqueue.client import Client
from ocrqueue.client.submission import Request, job_id
from ocrqueue.client.submission.group import Group
from ocrqueue.errors import InvalidOptions, QueueFull, QueueUnavailable, Unconfirmed
from ocrqueue.ledger import Ledger, scripts
from ocrqueue.settings import Shared
from ocrqueue.steps.reconciler import Reconciler
from ocrqueue.storage.rounds import has_ended
from ocrqueue.storage.spool import output_name
from tests.support.faults import Relay, Verdict
from tests.support.harness import PROJECT
from tests.support.player import Reader

KEY = "invoice 7"
DOCUMENTS = "documents\x06\x166"
CREATE = hashlib.sha1(scripts.source("create").encode()).hexdigest().encode()


class Cut:
    """Cuts the first `times` connections that create a job, before the "request" or before its "reply"."""

    def __init__(self, verdict: Verdict, times: int) -> None:
        self.verdict, self.left = verdict, times

    def __call__(self, data: bytes) -> Verdict:
        if CREATE not in data or not self.left:
            return None
        self.left -= 1
        return self.verdict


@pytest.fixture
def client(redis: Redis, redis_server: Path, tmp_path: Path) -> Iterator[Client]:
    """A client that reaches the server directly. The server knows the script, so that the first call runs it."""
    (tmp_path / "spool").mkdir()
    redis.script_load(scripts.source("create"))
    url = f"redis+socket://{redis_server}?virtual_host=0"
    client = Client(Shared(tmp_path, url, False, str(tmp_path / "spool"), None, 100, 1000))
    yield client
    client.redis.close()


@pytest.fixture
def relay(redis_server: Path) -> Iterator[Relay]:
    relay = Relay(redis_server)
    yield relay
    relay.close()


def through(relay: Relay, client: Client) -> Client:
    """A client whose connections go through the relay, which counts them."""
    old = client.settings
    return Client(Shared(old.data_dir, relay.url, False, old.spool, None, old.max_queued_pages, old.max_bytes))


def take_up(client: Client) -> None:
    """Run the reconciler with a clock that is some minutes ahead."""
    later = Ledger(client.redis, clock=time.time() + 1000)
    client.redis.delete(names.RECONCILER)
    Reconciler(later, client.spool, tick=20, patience=900).run()


def assert_alive(client: Client, job: str) -> None:
    """Check that the job has its bytes, and that all its pages can be read."""
    source = client.ledger.job(job).source
    assert source.file
    with client.spool.local_source(job, source.file) as path:
        assert path.read_bytes() == b"abc"
    assert client.spool.read_json(job, "job.json")["source"] == source.to_json()
    handle = client.job(job)
    reader = Reader(client, handle)
    reader.open(1)
    reader.read()
    assert handle.text() == "page 1\n"


@pytest.mark.parametrize("key", [None, KEY])
@pytest.mark.parametrize("verdict", ["request", "reply"])
@pytest.mark.parametrize("times", [1, 3])
def test_some_lost_answers_make_no_difference(
    client: Client, relay: Relay, redis: Redis, key: str | None, verdict: Verdict, times: int
) -> None:
    relay.rule = Cut(verdict, times)
    far = through(relay, client)
    job = far.submit(b"abc", key=key)
    far.redis.close()
    assert client.ledger.jobs() == [job.id]
    assert redis.llen(DOCUMENTS) == 1
    assert_alive(client, job.id)


@pytest.mark.parametrize("verdict", ["request", "reply"])
def test_without_any_answer_the_bytes_stay_and_the_error_names_the_job(
    client: Client, relay: Relay, verdict: Verdict
) -> None:
    relay.rule = Cut(verdict, 100)
    far = through(relay, client)
    with pytest.raises(QueueUnavailable, match="may have been created: its document is kept") as caught:
        far.submit(b"abc", key=KEY)
    assert isinstance(caught.value, Unconfirmed)
    job = caught.value.job
    assert job in caught.value.message
    assert client.ledger.jobs() == ([job] if verdict == "reply" else [])
    assert far.is_submitted(job)
    far.redis.close()
    take_up(client)
    assert client.submit(b"abc", key=KEY).id == job
    assert_alive(client, job)


def test_a_submission_that_redis_refuses_leaves_no_job(client: Client, redis: Redis) -> None:
    """Redis reaches its memory limit after the client has checked it."""
    check = client.check_room

    def check_and_fill(with_webhook: bool = False) -> None:
        check(with_webhook)
        redis.config_set("maxmemory", 1)

    client.check_room = check_and_fill  # type: ignore[method-assign]
    try:
        for key in (None, KEY):
            with pytest.raises(QueueFull):
                client.submit(b"abc", key=key)
            redis.config_set("maxmemory", 0)
    finally:
        redis.config_set("maxmemory", 0)
    take_up(client)
    assert client.ledger.jobs() == []
    assert not client.is_submitted(job_id(KEY))


def test_a_key_whose_job_redis_has_lost_begins_a_new_round(client: Client, redis: Redis) -> None:
    job = client.submit(b"abc", key=KEY)
    reader = Reader(client, job)
    reader.open(2)
    reader.read()
    with client.spool.open_write(job.id, output_name(".pdf", 1)) as made:
        made.write("of the first document")
    redis.flushall()
    assert client.submit(b"abcd", key=KEY).id == job.id
    status = job.status()
    assert not client.spool.exists(job.id, output_name(".pdf", status.round))
    assert not has_ended(client.spool, job.id)  # so that the reconciler creates it if Redis loses it again
    redis.flushall()
    take_up(client)
    assert job.status().round == status.round == 2


STEPS = {
    "before the document is stored": ("ocrqueue.storage.spool", "Spool.put_source", 0),
    "after the document is stored": ("ocrqueue.storage.spool", "Spool.put_source", 1),
    "after the password is stored": ("ocrqueue.storage.spool", "Spool.put_password", 1),
    "after job.json is stored": ("ocrqueue.client.submission.group", "Group._record", 0),
    "after the record is created": ("ocrqueue.ledger", "Ledger.create_all", 1),
    "after the message is sent": ("ocrqueue.client.client", "Client.send", 1),
}
PROGRAM = """
import importlib, json, os, signal, sys
module, path, after = json.loads(sys.argv[1])
owner = importlib.import_module(module)
name, method = path.split(".")
owner = getattr(owner, name)
original = getattr(owner, method)
def step(*args, **more):
    if after:
        original(*args, **more)
    os.kill(os.getpid(), signal.SIGKILL)
setattr(owner, method, step)
from ocrqueue.client import submit
submit(b"abc", key=sys.argv[2], password="p")
"""


@pytest.mark.parametrize("at", STEPS)
def test_a_client_that_is_killed_leaves_a_job_with_its_bytes_or_nothing(
    client: Client, redis_server: Path, at: str
) -> None:
    env = {
        **os.environ,
        "REDIS_URL": f"unix://{redis_server}?db=0",
        "OCR_DATA_DIR": str(client.settings.data_dir),
        "PYTHONPATH": str(PROJECT),
    }
    run = subprocess.run(
        [sys.executable, "-c", PROGRAM, json.dumps(STEPS[at]), KEY], env=env, capture_output=True, text=True, timeout=60
    )
    assert run.returncode == -signal.SIGKILL, run.stderr
    take_up(client)
    job = job_id(KEY)
    has_job = at in list(STEPS)[3:]
    assert client.ledger.jobs() == ([job] if has_job else [])
    assert client.is_submitted(job) == has_job
    assert client.submit(b"abc", key=KEY, password="p").id == job
    assert client.ledger.jobs() == [job]
    assert_alive(client, job)


GROUP = """
import os, signal, sys
from ocrqueue.client.default import default_client
from ocrqueue.client.submission import Request, job_id
from ocrqueue.client.submission.group import Group
from ocrqueue.ledger import Ledger
owner, method, left = {"notes": (os, "replace", 4), "records": (Ledger, "create_all", 1)}[sys.argv[1]]
original = getattr(owner, method)
def step(*args, **more):
    global left
    answer = original(*args, **more)
    left -= 1
    if not left:
        os.kill(os.getpid(), signal.SIGKILL)
    return answer
setattr(owner, method, step)
keys = [f"key {n}" for n in range(3)]
Group(default_client(), lambda _: None).submit([Request(job_id(key), b"abc", {"key": key}) for key in keys])
"""


@pytest.mark.parametrize(("at", "count"), [("notes", 2), ("records", 3)])
def test_a_client_that_is_killed_within_a_group_leaves_whole_jobs(
    client: Client, redis: Redis, redis_server: Path, at: str, count: int
) -> None:
    """Killed after the second job.json, or after the records: each document is a job that is read, or has left none."""
    env = {
        **os.environ,
        "REDIS_URL": f"unix://{redis_server}?db=0",
        "OCR_DATA_DIR": str(client.settings.data_dir),
        "PYTHONPATH": str(PROJECT),
    }
    run = subprocess.run([sys.executable, "-c", GROUP, at], env=env, capture_output=True, text=True, timeout=60)
    assert run.returncode == -signal.SIGKILL, run.stderr
    assert redis.llen(DOCUMENTS) == 0
    assert len(client.ledger.jobs()) == (0 if at == "notes" else 3)
    take_up(client)
    jobs = [job_id(f"key {n}") for n in range(3)]
    assert sorted(client.ledger.jobs()) == sorted(jobs[:count])
    for n, job in enumerate(jobs):
        assert client.submit(b"abc", key=f"key {n}").id == job
        assert_alive(client, job)


@pytest.mark.parametrize("verdict", ["request", "reply"])
@pytest.mark.parametrize("times", [1, 100])
def test_lost_answers_about_a_group_lose_and_repeat_no_job(
    client: Client, relay: Relay, redis: Redis, verdict: Verdict, times: int
) -> None:
    relay.rule = Cut(verdict, times)
    far = through(relay, client)
    requests = [Request(job_id(None), b"abc", {}) for _ in range(3)]
    errors = Group(far, lambda _: None).submit(requests)
    far.redis.close()
    jobs = [request.job for request in requests]
    if times == 1:
        assert errors == [None] * 3
        assert redis.llen(DOCUMENTS) == 3
    else:
        assert [isinstance(error, Unconfirmed) and error.job for error in errors] == jobs
        take_up(client)
    assert sorted(client.ledger.jobs()) == sorted(jobs)
    for job in jobs:
        assert_alive(client, job)


def test_a_group_that_redis_refuses_leaves_no_jobs(client: Client, redis: Redis) -> None:
    requests = [Request(job_id(None), b"abc", {}) for _ in range(2)]
    redis.config_set("maxmemory", 1)
    try:
        errors = Group(client, lambda _: None).submit(requests)
    finally:
        redis.config_set("maxmemory", 0)
    assert [type(error) for error in errors] == [QueueFull] * 2
    take_up(client)
    assert client.ledger.jobs() == list(client.spool.jobs()) == []


def test_a_key_whose_bytes_are_gone_stores_them_again(client: Client) -> None:
    job = client.submit(b"abc", key=KEY)
    client.spool.drop(job.id)
    assert client.submit(b"abc", key=KEY).id == job.id
    assert_alive(client, job.id)


def test_a_key_that_two_submissions_use_at_once_keeps_the_first_ones_job(client: Client) -> None:
    other = Client(client.settings)
    check = client.check_room

    def check_and_be_overtaken(with_webhook: bool = False) -> None:
        check(with_webhook)
        other.submit(b"abc", key=KEY)

    client.check_room = check_and_be_overtaken  # type: ignore[method-assign]
    with pytest.raises(InvalidOptions, match="belongs to job"):
        client.submit(b"abcd", key=KEY)
    assert_alive(client, job_id(KEY))
    other.redis.close()
