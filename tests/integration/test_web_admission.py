"""Admission: a submission is refused while the queue is full, or while its open pages would take too long."""

from dataclasses import replace

import pytest
import redis as redis_py

from ocrqueue import names
from ocrqueue.client import Client
from ocrqueue.ledger import Ledger
from ocrqueue.ledger.workers import Worker, announce
from ocrqueue.web.app import create_app
from ocrqueue.web.intake.admission import admit
from ocrqueue.web.keys import ANYONE
from ocrqueue.web.problems import ApiError
from ocrqueue.web.service import Service
from ocrqueue.web.settings import web_settings
from tests.support.ledger_steps import opened


def refused(service: Service) -> ApiError | None:
    try:
        admit(service, ANYONE)
    except ApiError as e:
        return e
    return None


def service(client: Client, queue_seconds: int) -> Service:
    found: Service = create_app(replace(web_settings(), queue_seconds=queue_seconds), client).state.service
    return found


@pytest.fixture
def pages(ledger: Ledger) -> None:
    """30 open pages of the engine rapidocr."""
    opened(ledger, 30)


def measured(redis: "redis_py.Redis") -> None:
    """Ten pages kept children busy for 40 s, 4 s each; one worker with two children lives: 30 pages take 60 s."""
    minute = redis.time()[0] // 60
    redis.hset(names.MINUTES, f"rapidocr {minute % 60}", f"{minute} 10 40000")
    announce(redis, Worker("w1", "host", 1, "0.1.0", ("pages.rapidocr",), {"rapidocr": {}}, children=2), 30)


@pytest.mark.usefixtures("pages")
def test_pages_that_take_too_long_are_refused(client: Client, redis: "redis_py.Redis") -> None:
    assert refused(service(client, 50)) is None  # nothing is known
    measured(redis)
    assert refused(service(client, 0)) is None
    assert refused(service(client, 61)) is None
    error = refused(service(client, 50))
    assert error is not None
    assert (error.code, error.headers) == ("queue_full", {"Retry-After": "10"})
    assert error.message.startswith("the open pages take about 60 s and 50 s are allowed")


@pytest.mark.usefixtures("pages")
def test_a_full_queue_says_when_to_try_again(client: Client, redis: "redis_py.Redis") -> None:
    redis.set(names.BACKLOG, 100)
    error = refused(service(client, 0))
    assert error is not None
    assert (error.code, error.headers) == ("queue_full", {"Retry-After": "30"})
    measured(redis)
    error = refused(service(client, 0))
    assert error is not None
    assert error.headers == {"Retry-After": "6"}  # a tenth of the 60 s for the pages that are open
