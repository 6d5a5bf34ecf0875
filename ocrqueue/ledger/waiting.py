"""The lists in which messages wait, and the jobs that have a message in them.

A list holds the messages of one queue and one priority, the oldest first. The ledger's scripts note of each list which
jobs have a message in it, and when it was sent, and up to which time messages have been taken. So the jobs whose
messages are lost are found without a look at any other job.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import cast

from redis import Redis

from ocrqueue import names

_PRIORITY_LISTS = {"3": "\x06\x163", "6": "\x06\x166", "9": "\x06\x169"}  # what kombu adds to the name of a queue


def lost_after(lease: float) -> float:
    """Seconds after which a message is lost if messages that were sent later have been taken; as in `prelude.lua`."""
    return lease * 4 / 9


@dataclass(frozen=True, slots=True)
class MessageList:
    """A list of messages at one time."""

    queue: str
    priority: str  # Celery's number
    taken: float  # messages that were sent before this time have left the list, in seconds since 1970
    is_empty: bool
    jobs: int  # that have a message in it, about


def message_lists(redis: Redis, now: float, lease: float) -> list[MessageList]:
    """Every list that a job's message was ever in. Notes that an empty list has been taken up to `now`.

    A time after `now`, of a server whose clock was ahead, is put right, so that no message seems lost.
    """
    known = cast("list[tuple[str, float]]", redis.zrange(names.TAKEN, 0, -1, withscores=True))
    with redis.pipeline(transaction=False) as pipe:
        for member, _ in known:
            queue, priority = member.rsplit(" ", 1)
            pipe.llen(queue + _PRIORITY_LISTS.get(priority, ""))
            pipe.zcard(names.sent_key(queue, priority))
        counts = pipe.execute()
    found = []
    for (member, taken), length, jobs in zip(known, counts[::2], counts[1::2], strict=True):
        queue, priority = member.rsplit(" ", 1)
        right = now if not length else taken if taken <= now else now - lost_after(lease)
        found.append(MessageList(queue, priority, right, not length, jobs))
    if changed := {member: one.taken for (member, taken), one in zip(known, found, strict=True) if one.taken != taken}:
        redis.zadd(names.TAKEN, changed)
    return found


def jobs_waiting(redis: Redis, queue: str) -> int:
    """How many jobs have a message in the lists of a queue, about."""
    with redis.pipeline(transaction=False) as pipe:
        for priority in _PRIORITY_LISTS:
            pipe.zcard(names.sent_key(queue, priority))
        return sum(pipe.execute())


def sent_before(redis: Redis, one: MessageList, time: float, count: int) -> list[str]:
    """At most `count` jobs whose oldest message in a list was sent at `time` or before, the oldest first."""
    key = names.sent_key(one.queue, one.priority)
    return cast("list[str]", redis.zrange(key, "-inf", str(time), byscore=True, offset=0, num=count))


def reading_again(redis: Redis, queue: str, until: float, count: int) -> list[str]:
    """At most `count` jobs that the engine of this queue may read again until `until` or before."""
    key = names.again_key(queue)
    found = cast("list[str]", redis.zrange(key, "-inf", str(until), byscore=True, offset=0, num=count))
    with redis.pipeline(transaction=False) as pipe:
        for job in found:
            pipe.hexists(names.job_key(job), "first")
        reads = dict(zip(found, pipe.execute(), strict=True))
    if ended := [job for job in found if not reads[job]]:  # by an older version, which leaves the job here
        redis.zrem(key, *ended)
    return [job for job in found if reads[job]]


def forget(redis: Redis, lists: Iterable[MessageList], jobs: Iterable[str]) -> None:
    """Take jobs that no longer exist out of all lists."""
    gone = list(jobs)
    if not gone:
        return
    with redis.pipeline(transaction=False) as pipe:
        for one in lists:
            pipe.zrem(names.sent_key(one.queue, one.priority), *gone)
            pipe.zrem(names.again_key(one.queue), *gone)
        pipe.execute()
