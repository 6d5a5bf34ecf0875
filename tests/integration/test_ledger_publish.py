"""The ledger publishes the end of a round once, while the job is in this round."""

from typing import Any

import pytest
import redis as redis_py

from ocrqueue import names
from ocrqueue.ledger import Ledger, Publication
from tests.support.ledger_steps import JOB, assembled, dump, opened, read, retry

KEY = names.celery_result_key(JOB)
END = Publication("the result", 60, (("list", "first"), ("list", "second")))


def ended(ledger: Ledger) -> None:
    opened(ledger, 2)
    read(ledger, None, "engine_error")
    assembled(ledger)


def test_everything_of_an_end_is_published_at_once(ledger: Ledger, redis: "redis_py.Redis") -> None:
    ended(ledger)
    assert not ledger.job(JOB).published
    pubsub: Any = redis.pubsub(ignore_subscribe_messages=True)
    pubsub.subscribe(KEY, names.events_channel(JOB))
    assert ledger.publish(JOB, 1, END).reply["published"]
    assert ledger.job(JOB).published
    assert (redis.get(KEY), redis.ttl(KEY)) == ("the result", 60)
    assert redis.lrange("list", 0, -1) == ["second", "first"]
    heard = [message for message in (pubsub.get_message(timeout=1) for _ in range(4)) if message]
    assert [(m["channel"], m["data"]) for m in heard] == [
        (KEY, "the result"),
        (names.events_channel(JOB), '{"state":"partial"}'),
    ]
    pubsub.close()


def test_an_end_is_published_once(ledger: Ledger, redis: "redis_py.Redis") -> None:
    ended(ledger)
    ledger.publish(JOB, 1, END)
    before = redis.lrange("list", 0, -1)
    step = ledger.publish(JOB, 1, Publication("another", 60, END.messages))
    assert (step.done, step.reply["published"]) == (True, False)
    assert (redis.get(KEY), redis.lrange("list", 0, -1)) == ("the result", before)


@pytest.mark.parametrize("round", [1, 2, 3])
def test_a_job_that_has_not_ended_has_no_end_to_publish(ledger: Ledger, redis: "redis_py.Redis", round: int) -> None:
    assert not ledger.publish(JOB, round, END).done, "no job"
    ended(ledger)
    assert ledger.publish(JOB, round, END).done == (round == 1)
    retry(ledger)
    assert not redis.exists(KEY), "the retry takes the old result away"
    before = dump(redis) if round > 1 else {}
    assert not ledger.publish(JOB, round, END).done
    assert (dump(redis) if round > 1 else {}) == before
    assert not redis.exists(KEY)
    read(ledger, "engine_error")
    assembled(ledger)
    assert ledger.publish(JOB, round, END).done == (round == 2)
    assert ledger.job(JOB).published == (round == 2)


def test_an_end_that_an_older_worker_has_published_counts(ledger: Ledger) -> None:
    ended(ledger)
    ledger.confirm_end(JOB, 1)  # which is all that it does in the ledger
    assert ledger.job(JOB).published


def test_a_full_redis_takes_an_end(ledger: Ledger, redis: "redis_py.Redis") -> None:
    ended(ledger)
    redis.config_set("maxmemory", 1)
    try:
        assert ledger.publish(JOB, 1, END).done
    finally:
        redis.config_set("maxmemory", 0)
    assert redis.get(KEY) == "the result"


def test_a_dropped_job_leaves_no_result(ledger: Ledger, redis: "redis_py.Redis") -> None:
    ended(ledger)
    ledger.publish(JOB, 1, END)
    ledger.drop(JOB)
    assert redis.get(KEY) is None
