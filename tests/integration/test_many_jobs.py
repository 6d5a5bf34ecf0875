"""A reconciler run costs the same however many jobs are open, and still finds whatever is lost."""

from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path

import pytest
import redis as redis_py

from ocrqueue import names
from ocrqueue.ledger import Ledger, Measured, Other
from ocrqueue.ledger.messages import send
from ocrqueue.ledger.workers import Worker, announce, withdraw
from ocrqueue.options import Options
from ocrqueue.states import JobState
from ocrqueue.steps import reconciler as module
from ocrqueue.steps.reconciler import Reconciler
from ocrqueue.storage.spool import Spool
from tests.support.ledger_steps import SOURCE, assembled, commands, later, opened, read, retry, sent, states, turn

PAGES = "pages.rapidocr"
LIST = "\x06\x166"  # what kombu adds to the name of a queue for messages of normal priority
READER = Worker("reader", "here", 1, "1", (PAGES,), children=1)


class Recorder:
    """A Celery application that puts messages where kombu puts them."""

    def __init__(self, redis: "redis_py.Redis") -> None:
        self.redis = redis

    def producer_or_acquire(self) -> AbstractContextManager["Recorder"]:
        return nullcontext(self)

    def batch(self) -> AbstractContextManager[None]:
        return nullcontext()

    def send_task(self, name: str, **options: object) -> None:
        self.redis.lpush(f"{options['queue']}\x06\x16{options['priority']}", name)


@pytest.fixture
def many(redis: "redis_py.Redis", tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Reconciler:
    """A reconciler that looks at three jobs in turn, with a worker that serves all pages."""
    monkeypatch.setattr(module, "_AT_ONCE", 3)
    spool = Spool(str(tmp_path / "spool"))
    spool.prepare()
    announce(redis, READER, 3600)
    announce(redis, replace(READER, id="documents", queues=(names.DOCUMENTS_QUEUE,)), 3600)
    return Reconciler(Ledger(redis, clock=redis.time()[0]), spool, tick=20, patience=3600)


def start(many: Reconciler, job: str, pages: int = 2, **options: str) -> None:
    """A job whose pages are open, and whose messages are in Redis."""
    ledger = many.ledger
    send(Recorder(ledger.redis), opened(ledger, pages, lanes=2, job=job, **options).messages)
    ledger.redis.lpush(names.DOCUMENTS_QUEUE + LIST, "another document")


def run(many: Reconciler, seconds: float = 20) -> list[tuple[object, ...]]:
    """What a run sends some time later."""
    later(many.ledger, seconds)
    many.ledger.renew([("j0", "t")])  # as its worker does
    messages = many.run()
    send(Recorder(many.ledger.redis), messages)
    return [(m.job, m.kind, *m.args) for m in messages]


def fill(many: Reconciler, jobs: int, first: int = 0) -> None:
    for n in range(first, jobs):
        start(many, f"j{n}")
        many.ledger.create(f"queued{n}", SOURCE, Options())


def test_a_run_needs_as_many_commands_for_ten_times_the_jobs(many: Reconciler) -> None:
    needed, redis = [], many.ledger.redis
    for first, jobs in ((0, 10), (10, 100)):
        fill(many, jobs, first)
        turn(many.ledger, "t", job="j0") if jobs == 10 else None
        for _ in range(2):
            assert run(many) == []
            before = commands(redis)
        assert run(many) == []
        needed.append(commands(redis) - before)
    assert needed[1] <= needed[0] + 30


def test_a_lost_ticket_is_found_at_once_among_many_jobs(many: Reconciler) -> None:
    redis = many.ledger.redis
    start(many, "lost")
    assert redis.delete(PAGES + LIST)
    later(many.ledger, 20)
    fill(many, 30)
    assert run(many) == []
    turn(many.ledger, "t", job="j0")  # its ticket was sent after the lost ones
    assert run(many) == [("lost", "page", 0, 0), ("lost", "page", 1, 0)]
    assert run(many) == []
    redis.delete(PAGES + LIST)
    assert len(run(many)) == 61, "all are lost now but the one that was taken"
    assert run(many) == []


def test_a_backlog_that_only_waits_makes_no_messages(many: Reconciler) -> None:
    fill(many, 10)
    length = many.ledger.redis.llen(PAGES + LIST)
    assert [run(many, 300) for _ in range(20)] == [[]] * 20
    assert many.ledger.redis.llen(PAGES + LIST) == length


def test_jobs_that_an_older_version_wrote_are_found_in_turn(many: Reconciler) -> None:
    redis = many.ledger.redis
    fill(many, 10)
    for key in redis.scan_iter(names.PREFIX + "sent:*"):
        redis.delete(key)
    redis.delete(names.TAKEN, PAGES + LIST, names.DOCUMENTS_QUEUE + LIST)
    found = [message for _ in range(16) for message in run(many)]
    pages = [(f"j{n}", "page", lane, 0) for n in range(10) for lane in (0, 1)]
    assert sorted(found) == sorted([*pages, *((f"queued{n}", "document") for n in range(10))])


def test_ended_and_dropped_jobs_are_in_no_list(many: Reconciler) -> None:
    redis, ledger = many.ledger.redis, many.ledger
    for job in ("ended", "dropped", "vanished"):
        start(many, job, 1)
    for job in ("ended", "dropped"):
        read(ledger, None, job=job)
        assembled(ledger, job)
    ledger.drop("dropped")
    redis.delete(names.job_key("vanished"))  # an older version dropped it, and knew of no lists
    redis.zrem(names.OPEN, "vanished")
    redis.delete(PAGES + LIST)
    assert {kind for _, kind, *_ in run(many)} == {"ended"}
    assert list(redis.scan_iter(names.PREFIX + "sent:*")) == []


def test_two_runs_never_overlap(many: Reconciler) -> None:
    redis = many.ledger.redis
    start(many, "lost")
    redis.delete(PAGES + LIST)
    with redis.lock(names.RECONCILING, timeout=60):
        assert run(many) == []
    assert len(run(many)) == 2


def test_the_patience_begins_anew_with_every_worker_and_job(many: Reconciler) -> None:
    ledger, redis = many.ledger, many.ledger.redis
    fill(many, 5)
    start(many, "late")
    for _ in range(3):
        withdraw(redis, READER.id)
        run(many)
        run(many, 2000)
        announce(redis, READER, 3600)
        assert run(many) == []
    withdraw(redis, READER.id)
    run(many)
    later(ledger, 3000)
    start(many, "young")
    assert {job for job, *_ in run(many, 570)} == set()
    assert {job for job, *_ in run(many, 30)} == {"j0", "j1", "j2", "j3", "j4", "late"}
    assert states(ledger, "late") == ["failed", "failed"]
    assert states(ledger, "young") == ["open", "open"]
    assembled(ledger, "late")
    retry(ledger, "late")
    assert run(many, 3590) == [("young", "assemble", 1)]
    assert run(many) == [("late", "assemble", 2)], "a retry has a patience of its own"


def test_pages_whose_workers_pause_for_too_long_say_why_they_pause(many: Reconciler) -> None:
    ledger, redis = many.ledger, many.ledger.redis
    start(many, "waits", 1)
    announce(redis, replace(READER, queues=(), paused={"pages.rapidocr": "the spool is away"}), 3600)
    assert run(many) == []
    assert run(many, 3600) == [("waits", "assemble", 1)]
    (page,) = ledger.pages(ledger.job("waits"))
    assert page.code == "model_missing"
    assert page.message == (
        "no worker has served pages.rapidocr for 60 minutes, because its workers pause (the spool is away); "
        "mend that, then retry"
    )


@pytest.mark.parametrize("why", ["nobody serves it", "too late"])
def test_a_second_engine_is_not_waited_for_long_among_many_jobs(many: Reconciler, why: str) -> None:
    ledger, second = many.ledger, replace(READER, id="second", queues=("pages.tesseract",))
    announce(ledger.redis, second, 3600)
    start(many, "poor", 1)
    other = Other("pages.tesseract", "tesseract", "tesseract-5", "7", "digest", share=1.0, seconds=600)
    claim = turn(ledger, "first", job="poor")
    send(Recorder(ledger.redis), ledger.finish(claim, {1: Measured(1.0, 0.6, 0.3)}, other=other).messages)
    fill(many, 5)
    assert run(many) == []
    if why == "nobody serves it":
        withdraw(ledger.redis, second.id)
        assert run(many) == []
    assert run(many, 50 if why == "nobody serves it" else 590) == [("poor", "assemble", 1)]
    assert assembled(ledger, "poor") == JobState.DONE
    assert not ledger.redis.exists(names.again_key("pages.tesseract"))


def test_a_second_reading_that_an_older_version_ended_is_forgotten(many: Reconciler) -> None:
    start(many, "poor")
    many.ledger.redis.zadd(names.again_key(PAGES), {"poor": 1, "dropped": 1})
    assert run(many) == []
    assert not many.ledger.redis.exists(names.again_key(PAGES))


def test_a_clock_that_goes_back_makes_no_messages(many: Reconciler) -> None:
    fill(many, 5)
    later(many.ledger, 100)
    turn(many.ledger, "t", job="j4")
    later(many.ledger, -5000)
    fill(many, 10, 5)
    assert [run(many) for _ in range(5)] == [[]] * 5


def test_one_lane_is_enough_where_many_jobs_wait(many: Reconciler, monkeypatch: pytest.MonkeyPatch) -> None:
    from ocrqueue.steps import lanes

    monkeypatch.setattr(lanes, "_MANY", 8)
    fill(many, 9)
    for _ in range(8):
        run(many)
    claim = turn(many.ledger, "t", lane=1, job="j0")
    assert sent(many.ledger.finish(claim, {claim.pages[0].number: None})) == [], "its second lane has ended"
    for n in range(1, 9):
        read(many.ledger, None, None, job=f"j{n}")
    assert [message for _ in range(8) for message in run(many) if message[0] == "j0"] == [("j0", "page", 1, 1)]
