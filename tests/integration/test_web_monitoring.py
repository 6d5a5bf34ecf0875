"""Metrics and probes of real `web` processes beside real workers."""

import signal
import time
from collections.abc import Iterator

import pytest
from prometheus_client.parser import text_string_to_metric_families

from ocrqueue import names
from ocrqueue.ledger import Ledger, figures
from ocrqueue.ledger.workers import live
from ocrqueue.options import Options
from ocrqueue.web.keys import Right
from tests.support import numbered
from tests.support.harness import Stack, eventually, running
from tests.support.ledger_steps import SOURCE
from tests.support.web import Web, new_key, start_web

pytestmark = pytest.mark.timeout(180)


class Watched(Stack):
    """A stack with a web process."""

    web: Web


@pytest.fixture(scope="module")
def stack() -> Iterator[Watched]:
    with running(Watched) as stack:
        (stack.folder / "data" / "spool").mkdir()  # workers make it
        stack.web = start_web(stack)
        yield stack


def samples(web: Web, key: str | None = None) -> dict[tuple[str, tuple[str, ...]], float]:
    """Every sample of /metrics by its name and the values of its labels."""
    with web.client(key) as client:
        answer = client.get("/metrics")
    assert answer.status_code == 200, answer.text
    assert answer.headers["Content-Type"].startswith("text/plain; version=")
    return {
        (sample.name, tuple(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def ready(web: Web) -> tuple[int, list[str]]:
    with web.client() as client:
        answer = client.get("/readyz")
    found = answer.json()
    assert found["status"] == ("ready" if answer.status_code == 200 else "not ready")
    return answer.status_code, found["missing"]


def becomes(web: Web, status: int, *missing: str) -> None:
    """The answer is used again for a second."""
    eventually(lambda: ready(web) == (status, list(missing)), 30, 0.2)


def test_metrics_are_those_of_all_workers_and_clients(stack: Watched) -> None:
    """In the order of an operator's day: nothing runs, then workers come, pages are read, and workers go."""
    web = stack.web
    assert samples(web)["ocrqueue_jobs", ("done",)] == 0
    becomes(web, 503, "no worker opens documents", "no worker reads pages")
    first = stack.client().submit(numbered.document(4, {2: numbered.RAISE}), priority="high")
    found = samples(web)
    assert found["ocrqueue_jobs", ("queued",)] == 1
    assert found["ocrqueue_pages_open", (figures.UNKNOWN, "high")] == 10
    assert ("ocrqueue_reconciler_age_seconds", ()) not in found
    assert found["ocrqueue_refused_total", ("queue_full",)] == 0
    stack.redis.hset(names.RECONCILER, "last", str(time.time() - 100))
    stack.redis.zadd(names.OPEN, {first.id: time.time() - 1000})
    stack.redis.hset(names.CACHE, "bytes", 12345)
    found = samples(web)
    assert 99 < found["ocrqueue_reconciler_age_seconds", ()] < 160
    assert 999 < found["ocrqueue_oldest_open_job_seconds", ()] < 1060
    assert found["ocrqueue_cache_bytes", ()] == 12345
    stack.redis.delete(names.CACHE)
    for name in ("a", "b"):
        stack.start_worker(name)
    becomes(web, 503, "no worker opens documents")
    stack.start_documents(children=1)
    becomes(web, 200)
    assert first.wait(60).state == "partial"
    other = start_web(stack, "other")
    for process in (web, other):
        found = samples(process)
        assert found["ocrqueue_jobs", ("partial",)] == 1
        assert found["ocrqueue_pages_open", ("numbered", "high")] == 0
        assert found["ocrqueue_pages_total", ("numbered", "ok")] == 3
        assert found["ocrqueue_pages_total", ("numbered", "failed")] == 1
        assert found["ocrqueue_page_seconds_count", ("numbered",)] == 3
        assert found["ocrqueue_page_wait_seconds_count", ("numbered", "high")] == 4
        assert found["ocrqueue_page_confidence_bucket", ("numbered", "0.9")] == 3
        assert found["ocrqueue_dead_pages", ()] == 1
        assert found["ocrqueue_oldest_open_page_seconds", ()] == 0
        assert found["ocrqueue_workers", ("numbered",)] == 2
        assert found["ocrqueue_children", ("numbered",)] == 2
        assert found["ocrqueue_document_workers", ()] == 1
        assert found["ocrqueue_queue_children", ("pages.numbered",)] == 2
        assert found["ocrqueue_queue_children", ("documents",)] == 1
        assert not [labels for name, labels in found if labels and labels[0].startswith("models.")]
        assert found["ocrqueue_oldest_open_job_seconds", ()] == 0
        assert found["ocrqueue_spool_ok", ()] == 1
        assert found["ocrqueue_cache_bytes", ()] == 0
        memory = [value for (name, _), value in found.items() if name == "ocrqueue_child_rss_bytes"]
        assert len(memory) == 3
        assert min(memory) > 10 * 2**20
    for name in ("a", "b"):
        stack.kill(name, signal.SIGTERM)
    becomes(web, 503, "no worker reads pages")
    assert ("ocrqueue_workers", ("numbered",)) not in samples(web)


def test_requests_are_counted_by_endpoint_not_by_job(stack: Watched) -> None:
    job = stack.client().submit(numbered.document(1))
    with stack.web.client() as client:
        for path in (f"/api/v1/jobs/{job.id}", "/api/v1/jobs/00000000-0000-4000-8000-000000000000", "/nowhere/1"):
            client.get(path)
        client.request("BREW", "/livez")
        client.head(f"/api/v1/jobs/{job.id}")
    found = samples(stack.web)
    path = "/api/v1/jobs/{job}"
    assert found["ocrqueue_http_requests_total", ("GET", path, "200")] == 1
    assert found["ocrqueue_http_requests_total", ("GET", path, "404")] == 1
    assert found["ocrqueue_http_requests_total", ("GET", "unknown", "404")] == 1
    assert found["ocrqueue_http_requests_total", ("unknown", "/livez", "405")] == 1
    assert found["ocrqueue_http_requests_total", ("HEAD", path, "200")] == 1
    assert found["ocrqueue_http_request_seconds_count", ("GET", path)] == 2
    assert not [labels for _, labels in found if job.id in str(labels) or "BREW" in labels]


def test_metrics_need_the_right_to_read_all_jobs_and_probes_need_none(stack: Watched) -> None:
    web = start_web(stack, "keyed", OCR_API_KEYS=str(stack.folder / "keys.json"))
    stack.env["OCR_API_KEYS"] = str(stack.folder / "keys.json")
    try:
        mine, scraper = new_key(stack, "mine"), new_key(stack, "scraper", Right.READ_ALL)
        few = new_key(stack, "few", Right.READ_ALL, requests=1)
    finally:
        del stack.env["OCR_API_KEYS"]
    for key, status in ((None, 401), (mine, 403), (scraper, 200), (few, 200), (few, 429)):
        with web.client(key) as client:
            answer = client.get("/metrics")
            assert answer.status_code == status
            assert status == 200 or answer.json()["status"] == status
    eventually(lambda: samples(web, scraper).get(("ocrqueue_refused_total", ("too_many",))) == 1, 10)
    with web.client() as client:
        assert client.get("/livez").status_code == 200
        assert client.get("/readyz").status_code in (200, 503)


@pytest.mark.thorough
def test_a_redis_or_spool_that_is_away_is_reported_without_its_address(stack: Watched) -> None:
    web = start_web(stack, "away")
    spool = stack.folder / "data" / "spool"
    spool.rename(spool.with_name("gone"))
    eventually(lambda: "the spool cannot be written" in ready(web)[1], 30, 0.2)
    assert samples(web)["ocrqueue_spool_ok", ()] == 0
    spool.with_name("gone").rename(spool)
    eventually(lambda: "the spool cannot be written" not in ready(web)[1], 30, 0.2)
    stack.kill("redis")
    try:
        becomes(web, 503, "Redis does not answer")
        with web.client() as client:
            assert client.get("/livez").status_code == 200
            refused = client.get("/metrics")
            assert (refused.status_code, refused.json()["code"]) == (503, "queue_unavailable")
    finally:
        stack.start_redis()


@pytest.mark.thorough
def test_a_redis_that_takes_no_writes_is_not_ready(stack: Watched) -> None:
    """Whether it is full or has too few replicas, it answers, and the figures are still there."""
    web = start_web(stack, "refused")
    for option in ("min-replicas-to-write", "maxmemory"):
        stack.redis.config_set(option, 1)
        becomes(web, 503, "Redis takes no writes")
        assert samples(web)["ocrqueue_spool_ok", ()] == 1
        stack.redis.config_set(option, 0)
        eventually(lambda: "Redis takes no writes" not in ready(web)[1], 30, 0.2)


@pytest.mark.thorough
def test_many_probes_share_a_look(stack: Watched) -> None:
    """Redis gets a few commands, some of them from other processes, for 100 probes in a second or two."""
    web = start_web(stack, "probed")
    stack.redis.config_resetstat()
    with web.client() as client:
        assert {client.get("/readyz").status_code for _ in range(100)} <= {200, 503}
    assert stack.redis.info("commandstats")["cmdstat_zrange"]["calls"] < 50


def test_metrics_cost_the_same_for_many_jobs(redis, ledger: Ledger) -> None:  # type: ignore[no-untyped-def]
    """Redis does the same commands for them; none of them goes over the jobs."""

    def commands() -> dict[str, int]:
        redis.config_resetstat()
        figures.read(redis)
        live(redis)
        figures.are_whole(redis)
        found = redis.info("commandstats")
        return {name: stat["calls"] for name, stat in found.items() if "config" not in name and "client" not in name}

    ledger.clock = time.time()
    ledger.create("first", SOURCE, Options())
    few = commands()
    for i in range(500):
        ledger.create(f"job{i}", SOURCE, Options(priority=("low", "normal", "high")[i % 3]))
    assert commands() == few
    assert redis.hlen(names.COUNTS) == 5, "jobs, pages of three priorities, and that it is whole"
    assert figures.read(redis).jobs["queued"] == 501
