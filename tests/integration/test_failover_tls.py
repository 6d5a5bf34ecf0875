"""Servers and sentinels that speak TLS alone: `sentinels://` for messages, results, the ledger, clients and events."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace

import pytest
from celery import Celery
from celery.result import AsyncResult

from ocrqueue.client import Client
from ocrqueue.errors import QueueUnavailable
from ocrqueue.ledger import connection
from tests.support import numbered
from tests.support.harness import eventually, running
from tests.support.replicated import PASSWORD, SENTINEL_PASSWORD, Encrypted

pytestmark = [pytest.mark.needs("redis-tls", "openssl"), pytest.mark.thorough]
PAGES = 60


@pytest.fixture(scope="module")
def stack() -> Iterator[Encrypted]:
    with running(Encrypted, OCR_LEASE_SECONDS="6", OCR_RECONCILE_SECONDS="1") as stack:
        stack.start_documents(children=1)
        stack.start_worker(engines="quick=tests.support.engines:Quick", children=2)
        yield stack


def test_a_job_is_read_also_when_the_primary_is_killed(stack: Encrypted) -> None:
    new, old = stack.replica(), stack.primary
    job = stack.client().submit(numbered.document(PAGES), engine="quick")
    eventually(lambda: job.status().ok > PAGES / 4)
    stack.redis.wait(1, 5000)
    stack.kill(old)
    late = stack.submit("ocr", str(numbered.write(stack.folder / "late.tif", 2)), "--engine", "quick")
    assert (late.returncode, late.stdout.split()) == (0, ["page", "1", "page", "2"]), late.stderr
    assert stack.primary == new
    status = job.wait(timeout=60)
    assert (status.state, status.ok) == ("done", PAGES)


def test_the_result_of_a_job_is_in_the_result_backend(stack: Encrypted) -> None:
    job = stack.client().submit(numbered.document(1), engine="quick")
    shared = stack.shared
    with Celery(broker=shared.redis, backend=shared.redis, set_as_current=False) as app:
        app.conf.update(
            broker_transport_options=shared.celery_options,
            result_backend_transport_options=shared.celery_options,
            broker_use_ssl=shared.celery_tls,
            redis_backend_use_ssl=shared.celery_tls,
        )
        assert AsyncResult(job.id, app=app).get(timeout=60)["state"] == "done"


def test_a_subscription_in_an_event_loop_hears_the_primary(stack: Encrypted) -> None:
    async def heard() -> str | None:
        async with connection.connect_async(stack.shared) as redis, redis.pubsub() as events:
            await events.subscribe("news")
            await redis.publish("news", "here")
            while (event := await events.get_message(timeout=10)) and event["type"] != "message":
                pass
            return event and event["data"]

    assert asyncio.run(heard()) == "here"


def test_doctor_names_the_sentinels_and_no_password(stack: Encrypted) -> None:
    run = stack.submit("doctor")
    assert f"sentinels://127.0.0.1:{stack.sentinels[0]}," in run.stdout
    for secret in (PASSWORD, SENTINEL_PASSWORD, "s3%20c"):
        assert secret not in run.stdout + run.stderr


def test_a_client_that_does_not_trust_the_servers_is_told_so(stack: Encrypted, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "FAILOVER", 0)  # seconds that it would wait for a primary
    assert stack.shared.sentinels
    stranger = replace(stack.shared.sentinels, tls={"ssl_cert_reqs": "required"})
    with pytest.raises(QueueUnavailable) as error:
        Client(replace(stack.shared, sentinels=stranger)).jobs()
    assert f"no sentinel names a primary (127.0.0.1:{stack.sentinels[0]}: " in error.value.message
    assert "certificate verify failed" in error.value.message
    assert len(error.value.message) < 500
