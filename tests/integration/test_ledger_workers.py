"""What workers announce in Redis."""

import redis as redis_py

from ocrqueue import names
from ocrqueue.ledger.workers import Worker, announce, live, withdraw


def test_the_ids_of_killed_workers_are_removed(redis: "redis_py.Redis") -> None:
    for n in range(5):
        announce(redis, Worker(f"killed{n}", "host", n, "1", ("documents",)), -1)  # its announcement has expired
    announce(redis, Worker("alive", "host", 9, "1", ("documents",)), 60)
    assert redis.zrange(names.WORKERS, 0, -1) == ["alive"]
    announce(redis, Worker("other", "host", 10, "1", ("documents",)), 60)
    assert [worker.id for worker in live(redis)] == ["alive", "other"]
    withdraw(redis, "alive")
    assert redis.zrange(names.WORKERS, 0, -1) == ["other"]
