"""Redis whose primary is killed, or demoted, while pages are read: nothing is lost, and no page counts twice.

`TEST_FAILOVERS=10` kills and demotes ten times each.
"""

import os
from collections.abc import Iterator
from contextlib import suppress
from itertools import count
from pathlib import Path
from threading import Timer
from typing import TypeVar
from uuid import uuid4

import pytest
from kombu import Connection
from redis import Redis
from redis.exceptions import RedisError

from ocrqueue import names
from ocrqueue.client import Job
from ocrqueue.errors import QueueUnavailable
from ocrqueue.ledger import Message
from ocrqueue.ledger.broker import watch_broker
from ocrqueue.ledger.connection import client
from ocrqueue.states import MessageKind
from tests.support import numbered
from tests.support.faults import Supervised, eventually
from tests.support.flower import get, start_flower
from tests.support.harness import Stack, free_port, running, server_program, short_folder
from tests.support.replicated import PASSWORD, SENTINEL_PASSWORD, Led, Sentinelled

SETTINGS = {"OCR_LEASE_SECONDS": "6", "OCR_RECONCILE_SECONDS": "1"}
QUICK = "quick=tests.support.engines:Quick"
PAGES = 60
SALT = count()  # each document differs from the others
AGAIN = pytest.mark.parametrize("number", range(int(os.environ.get("TEST_FAILOVERS", "1"))))
S = TypeVar("S", bound=Stack)


def serving(stack: S) -> S:
    stack.start_documents(children=1)
    stack.start_worker(engines=QUICK, children=2)
    stack.start_beat()
    return stack


@pytest.fixture(scope="module")
def watched() -> Iterator[Sentinelled]:
    with running(Sentinelled, **SETTINGS) as stack:
        yield serving(stack)


@pytest.fixture(scope="module")
def flower(watched: Sentinelled) -> str:
    return start_flower(watched)


def submit(stack: Supervised) -> Job:
    return stack.client().submit(numbered.document(PAGES, salt=next(SALT)), engine="quick")


def is_whole(job: Job) -> bool:
    pages = job.result()["pages"]
    return [page["text"] for page in pages] == [numbered.text(number) for number in range(1, PAGES + 1)]


def half_read(*jobs: Job) -> None:
    eventually(lambda: all(job.status().ok > PAGES / 4 for job in jobs), 60)


def all_done(stack: Supervised, *jobs: Job) -> None:
    for job in jobs:
        assert job.wait(timeout=90).state == "done"
        assert job.status().ok == PAGES
        assert is_whole(job)
    assert stack.client().dead() == []


def beat_sends(stack: Supervised) -> None:
    """Wait until the reconciler has run twice more."""
    for _ in range(2):
        before = stack.redis.hget(names.RECONCILER, "last")
        eventually(lambda before=before: stack.redis.hget(names.RECONCILER, "last") != before, 30)


@AGAIN
def test_a_primary_that_is_killed_costs_seconds(watched: Sentinelled, flower: str, tmp_path: Path, number: int) -> None:
    new, old = watched.replica(), watched.primary
    jobs = [submit(watched) for _ in range(2)]
    half_read(*jobs)
    watched.redis.wait(1, 5000)
    watched.kill(old)

    path = numbered.write(tmp_path / "late.tif", PAGES)
    run = watched.submit("ocr", "--no-wait", str(path), "--engine", "quick")  # waits for the new primary
    assert (run.returncode, run.stderr) == (0, ""), run
    assert watched.primary == new
    late = watched.client().job(run.stdout.strip())
    all_done(watched, *jobs, late)
    for job in (jobs[0], late):
        eventually(lambda job=job: "SUCCESS" in get(f"{flower}/task/{job.id}")[1], 60)
    beat_sends(watched)
    watched.start_server(old)
    eventually(lambda: watched.is_in_step(old), 30)


@pytest.mark.thorough
@AGAIN
def test_a_primary_that_sentinels_demote_costs_seconds(watched: Sentinelled, number: int) -> None:
    watched.replica()
    before = watched.primary
    jobs = [submit(watched) for _ in range(2)]
    half_read(*jobs)
    # asked again, because sentinels give up if the replica that they chose does not answer in time
    eventually(lambda: watched.primary != before or watched.failover(), 60, 1)

    all_done(watched, *jobs)
    beat_sends(watched)


def test_a_command_that_is_tried_again_asks_the_sentinels_for_the_primary(watched: Sentinelled) -> None:
    connection = client(watched.shared, socket_timeout=5).connection_pool.get_connection()
    old = next(port for port in watched.ports.values() if port != connection.port)
    connection.disconnect()  # as redis-py does when a command fails, before it sends it again
    connection.port = old  # that of the primary when the command was sent first
    connection.send_command("ROLE")
    assert connection.read_response()[0] == "master"
    connection.disconnect()


def test_commands_name_the_sentinels_without_a_password(watched: Sentinelled) -> None:
    run = watched.submit("doctor")
    assert f"sentinel://127.0.0.1:{watched.sentinels[0]},127.0.0.1:" in run.stdout
    assert "master=queue" in run.stdout
    for secret in (PASSWORD, SENTINEL_PASSWORD, "s3%20c"):
        assert secret not in run.stdout + run.stderr


@pytest.fixture(scope="module")
def led() -> Iterator[Led]:
    with running(Led, **SETTINGS) as stack:
        yield serving(stack)


@pytest.mark.thorough
@AGAIN
def test_a_primary_that_is_demoted_while_its_connections_stay_open(led: Led, number: int) -> None:
    new = led.replica()
    job = submit(led)
    half_read(job)
    led.swap("second" if new == "redis" else "redis", new)

    all_done(led, led.client().job(job.id), submit(led))
    assert "messages could not be sent" not in led.text("worker")


@pytest.mark.thorough
def test_a_job_that_the_new_primary_never_heard_of_is_taken_up_from_the_spool(led: Led) -> None:
    # Replication is asynchronous: the old primary confirmed the job, and failed before the replica had it.
    new = led.replica()
    old = "second" if new == "redis" else "redis"
    led.servers[new].replicaof("NO", "ONE")  # from now on it hears nothing of the old primary
    client = led.client()
    job = submit(led)
    note = client.spool.read_json(job.id, "job.json")  # as if sent 200 s ago: a younger one may not be in Redis yet
    client.spool.write_json(job.id, "job.json", {**note, "created": note["created"] - 200})
    led.lead_to(new)
    led.servers[old].replicaof("127.0.0.1", led.ports[new])

    eventually(lambda: led.servers[new].exists(names.job_key(job.id)), 60)
    all_done(led, led.client().job(job.id))


@pytest.mark.thorough
def test_a_message_that_no_server_takes_waits_for_the_new_primary(led: Led) -> None:
    new = led.replica()
    old = "second" if new == "redis" else "redis"
    client, queue = led.client(), "pages.nobody"
    message = Message(MessageKind.PAGE, str(uuid4()), (1, 1), queue, 0, "scan.pdf")
    client.send([message])
    led.lead_to(new)
    led.servers[old].replicaof("127.0.0.1", led.ports[new])
    promotion = Timer(1.0, led.servers[new].replicaof, ("NO", "ONE"))
    promotion.start()
    client.send([message])
    promotion.join()
    assert led.servers[new].llen(queue) == 2


def test_a_message_is_acknowledged_and_its_channel_closed_while_redis_takes_no_writes() -> None:
    """A worker would otherwise take one message less for ever, and leave its connections open."""
    watch_broker()
    with running() as stack, Connection(f"redis+socket://{stack.socket}?virtual_host=0") as broker:
        queue = broker.SimpleQueue("documents")
        queue.put({})
        queue.channel.basic_qos(0, 1, False)
        message = queue.get(timeout=10)
        assert not queue.channel.qos.can_consume()
        stack.redis.config_set("min-replicas-to-write", 1)
        message.ack()
        assert queue.channel.qos.can_consume()
        with suppress(RedisError, OSError):
            broker.drain_events(timeout=1)  # an answer that is refused
        queue.channel.close()
        eventually(lambda: stack.redis.info("clients")["connected_clients"] <= 1, 10)


def test_a_server_with_too_few_replicas_counts_as_one_that_is_away() -> None:
    with running() as stack:
        (stack.folder / "data" / "spool").mkdir()
        job = stack.client().submit(numbered.document(1))
        stack.redis.config_set("min-replicas-to-write", 1)
        with pytest.raises(QueueUnavailable, match="fewer replicas than min-replicas-to-write"):
            stack.client().submit(numbered.document(2))
        assert stack.client().job(job.id).status().state == "queued"


@pytest.mark.thorough
def test_a_cluster_is_refused_with_what_to_do(tmp_path: Path) -> None:
    with short_folder() as folder:
        stack = Stack(folder)
        port = free_port()
        options = ["--cluster-enabled", "yes", "--port", str(port), "--cluster-port", str(free_port()), "--save", ""]
        try:
            stack.spawn("cluster", [server_program(), *options, "--dir", str(tmp_path)])
            server = Redis(port=port)
            eventually(lambda: answers(server), 20)
            server.execute_command("CLUSTER", "ADDSLOTSRANGE", 0, 16383)
            eventually(lambda: server.cluster("info")["cluster_state"] == "ok", 20)
            (stack.folder / "data" / "spool").mkdir()
            url = f"redis://127.0.0.1:{port}/0"
            with pytest.raises(QueueUnavailable, match="is a Redis Cluster, which is not supported"):
                stack.client(redis=url).submit(numbered.document(1))
            worker = stack.spawn("worker", stack._celery("worker"), REDIS_URL=url)
            assert worker.wait(60) == 1
            assert f"ocr: Redis at {url} is a Redis Cluster, which is not supported" in stack.text("worker")
        finally:
            stack.close()


def answers(server: Redis) -> bool:
    try:
        return bool(server.ping())
    except RedisError:
        return False
