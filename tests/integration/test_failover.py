"""Redis whose primary is killed, or demoted, while pages are read: nothing is lost, and no page counts twice."""

from collections.abc import Iterator

import pytest

from ocrqueue.client import Job
from tests.support import numbered
from tests.support.faults import Supervised, eventually
from tests.support.harness import running
from tests.support.replicated import PASSWORD, SENTINEL_PASSWORD, Replicated, Sentinelled

SETTINGS = {"OCR_LEASE_SECONDS": "6", "OCR_RECONCILE_SECONDS": "1"}
QUICK = "quick=tests.support.engines:Quick"
PAGES = 60


@pytest.fixture(scope="module")
def watched() -> Iterator[Sentinelled]:
    with running(Sentinelled, **SETTINGS) as stack:
        stack.start_documents(children=1)
        stack.start_worker(engines=QUICK, children=2)
        stack.start_beat()
        yield stack


def submit(stack: Supervised, salt: int) -> Job:
    return stack.client().submit(numbered.document(PAGES, salt=salt), engine="quick")


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


def test_a_primary_that_is_killed_costs_seconds(watched: Sentinelled) -> None:
    jobs = [submit(watched, salt) for salt in (1, 2)]
    half_read(*jobs)
    watched.redis.wait(1, 5000)
    watched.kill("redis")

    late = submit(watched, 3)  # waits for the new primary
    assert watched.primary == "second"
    all_done(watched, *jobs, late)
    watched.start_server("redis")
    eventually(lambda: watched.is_in_step("redis"), 30)


def test_a_primary_that_sentinels_demote_costs_seconds(watched: Sentinelled) -> None:
    before = watched.primary
    jobs = [submit(watched, salt) for salt in (4, 5)]
    half_read(*jobs)
    watched.failover()
    eventually(lambda: watched.primary != before, 30)

    all_done(watched, *jobs)


def test_commands_name_the_sentinels_without_a_password(watched: Sentinelled) -> None:
    run = watched.submit("doctor")
    assert f"sentinel://127.0.0.1:{watched.sentinels[0]},127.0.0.1:" in run.stdout
    assert "master=queue" in run.stdout
    for secret in (PASSWORD, SENTINEL_PASSWORD, "s3%20c"):
        assert secret not in run.stdout + run.stderr


def test_a_primary_that_is_demoted_while_its_connections_stay_open() -> None:
    with running(Replicated, **SETTINGS) as stack:
        relay = stack.relay()  # a name that leads new connections to the primary
        stack.env["REDIS_URL"] = relay.url
        stack.start_documents(children=1)
        stack.start_worker(engines=QUICK, children=2)
        stack.start_beat()
        client = stack.client(redis=relay.url)
        job = client.submit(numbered.document(PAGES), engine="quick")
        half_read(job)
        relay.target = stack.socket_of("second")
        stack.swap("redis", "second")

        all_done(stack, client.job(job.id), client.submit(numbered.document(PAGES, salt=1), engine="quick"))
