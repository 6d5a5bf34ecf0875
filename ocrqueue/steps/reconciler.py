"""The reconciler finds jobs that do not move on, and makes them move. It changes nothing in a healthy job.

All state is in Redis; Celery messages only start work. So after a lost message or a killed worker the job is intact,
but nothing happens in it. A run looks at the jobs whose messages left their list without being answered, and at a part
of all others. So its cost depends on what happened, not on how many jobs are open.
"""

import logging
import math
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from typing import Any, cast

from redis import Redis
from redis.exceptions import LockError
from redis.lock import Lock

from ocrqueue import names
from ocrqueue.errors import OcrError, StorageAway, StorageError
from ocrqueue.ledger import Ledger, Mending, Message, NewerRecord, Source, Submitter, figures
from ocrqueue.ledger.cursors import Cursor, members_after
from ocrqueue.ledger.waiting import MessageList, forget, lost_after, message_lists, reading_again, sent_before
from ocrqueue.ledger.workers import Worker, live, why_paused
from ocrqueue.options import Options
from ocrqueue.states import MessageKind, Return
from ocrqueue.steps.lanes import children_of, wanted_lanes
from ocrqueue.storage import rounds
from ocrqueue.storage.spool import JOB, Spool

log = logging.getLogger(__name__)

_AT_ONCE = 500  # open jobs that are looked at in one round trip, and in each run though nothing seems wrong
_MOST = 5000  # jobs of one list that are mended in one run; the next run goes on
_UNSERVED = "unserved "  # before a queue's name, in the reconciler's hash: since when no worker serves it
_SWEEP_SECONDS = 600  # how often the spool is searched for jobs that Redis has lost
_GRACE_SECONDS = 120  # a younger job may not have been written to Redis yet


@dataclass(frozen=True, slots=True)
class _Queue:
    """A queue of pages at the time of a run."""

    lanes: int  # that a job of the queue should have; 0: no live worker serves it
    unserved: float | None  # since when, in seconds since 1970; None: a worker serves it
    paused: str | None = None  # why its workers take no pages, if there are workers


@dataclass(frozen=True, slots=True)
class Reconciler:
    """The reconciler. Of two processes that call `run` at the same time, one does nothing."""

    ledger: Ledger
    spool: Spool
    tick: float  # seconds between runs
    patience: float  # seconds after which pages fail if no worker reads them

    def run(self) -> list[Message]:
        """Free lost claims and wake jobs. Returns the messages to send, also for ends that were not published."""
        lock = self.ledger.redis.lock(names.RECONCILING, timeout=max(10.0, 2 * self.tick), blocking=False)
        if not lock.acquire():
            return []
        try:
            return self._run(lock)
        finally:
            with suppress(LockError):  # it took too long, or Redis lost the lock
                lock.release()

    def _run(self, lock: Lock) -> list[Message]:
        now = self.ledger.now()
        workers = live(self.ledger.redis)
        messages: list[Message] = []
        if self._may_free(now):
            messages += self._free(now)
        messages += self._mend(now, workers, lock)
        messages += self._unpublished(now)
        messages += self._forgotten(now)
        if not figures.are_whole(self.ledger.redis):
            self.ledger.recount()
        messages += self._deliveries(now)
        return messages

    def _may_free(self, now: float) -> bool:
        """Whether Redis and the reconciler have run for one lease without a pause.

        After a restart of Redis or a pause of the whole machine, live workers first have to renew their leases.
        """
        redis, lease = self.ledger.redis, self.ledger.lease
        with redis.pipeline() as pipe:
            pipe.hmget(names.RECONCILER, "last", "grace")
            pipe.hset(names.RECONCILER, "last", str(now))
            pipe.info("server")
            (last, grace), _, server = pipe.execute()
        if last is not None and now - float(last) > self._gap():
            grace = str(now + lease)
            redis.hset(names.RECONCILER, "grace", grace)
        return int(server["uptime_in_seconds"]) >= lease and now >= float(grace or 0)

    def _gap(self) -> float:
        """Seconds without a run that count as a pause, in which the workers may have been stopped too.

        That is the time of three runs, but less than a lease: a pause in which leases run out must be noticed. A lease
        that was just renewed may have used a fifth of its time.
        """
        return max(1.5 * self.tick, min(3 * self.tick, 0.75 * self.ledger.lease))

    def _free(self, now: float) -> list[Message]:
        messages: list[Message] = []
        for member in cast("list[str]", self.ledger.redis.zrange(names.CLAIMS, "-inf", str(now), byscore=True)):
            job, token = member.split(" ")
            what = self.ledger.redis.hget(names.job_key(job), f"claim:{token}")
            try:
                step = self.ledger.return_claim(job, token, Return.EXPIRED)
            except NewerRecord:
                continue  # a reconciler of the newer version frees it
            if step.done:
                log.warning("job=%s: the lease of a claim (%s) ran out; its pages are open again", job, what)
            elif not step.reply:
                self.ledger.redis.zrem(names.CLAIMS, member)
            messages += step.messages
        return messages

    def _mend(self, now: float, workers: list[Worker], lock: Lock) -> list[Message]:
        """Mend the jobs whose messages may be lost, and the next part of all open jobs."""
        lists = message_lists(self.ledger.redis, now, self.ledger.lease)
        queues = self._queues(lists, now, workers)
        jobs = list(dict.fromkeys([*self._late(lists, queues, now), *self._next_part()]))
        messages: list[Message] = []
        for start in range(0, len(jobs), _AT_ONCE):
            messages += self._mend_some(jobs[start : start + _AT_ONCE], lists, queues)
            with suppress(LockError):  # another one may have begun
                lock.reacquire()
        return messages

    def _queues(self, lists: list[MessageList], now: float, workers: list[Worker]) -> dict[str, "_Queue"]:
        """The queues of pages by name. Keeps since when each is served by no worker."""
        redis, jobs = self.ledger.redis, Counter[str]()
        for one in lists:
            jobs[one.queue] += one.jobs
        del jobs[names.DOCUMENTS_QUEUE]
        children = {queue: children_of(queue, workers) for queue in jobs}
        with redis.pipeline() as pipe:
            for queue, served in children.items():
                if served:
                    pipe.hdel(names.RECONCILER, _UNSERVED + queue)
                else:
                    pipe.hsetnx(names.RECONCILER, _UNSERVED + queue, str(now))
            pipe.hgetall(names.RECONCILER)
            state = pipe.execute()[-1]
        since = {queue: float(state[field]) for queue in jobs if (field := _UNSERVED + queue) in state}
        return {
            queue: _Queue(wanted_lanes(children[queue], jobs[queue]), since.get(queue), why_paused(workers, queue))
            for queue in jobs
        }

    def _late(self, lists: list[MessageList], queues: dict[str, "_Queue"], now: float) -> Iterator[str]:
        """The jobs with a message that was sent before others that were taken, or that waited too long for a worker."""
        redis, lease = self.ledger.redis, self.ledger.lease
        for one in lists:
            queue = queues.get(one.queue)
            until = one.taken - lost_after(lease)
            if queue and queue.unserved is not None:  # nothing is sent again for nobody
                until = now - self.patience if now - queue.unserved >= self.patience else 0.0
            yield from sent_before(redis, one, until, _MOST)
        for name, queue in queues.items():
            gone = queue.unserved is not None and now - queue.unserved >= lease
            yield from reading_again(redis, name, math.inf if gone else now, _MOST)

    def _next_part(self) -> list[str]:
        """The open jobs that follow those of the last run, so that all are looked at in turn.

        They find what an older version did, which keeps no lists, and fit the lanes of jobs to the workers.
        """
        redis = self.ledger.redis
        cursor = cast("str | None", redis.hget(names.RECONCILER, "cursor"))
        part = members_after(redis, names.OPEN, Cursor.parse(cursor) if cursor else None, _AT_ONCE, newest_first=False)
        if len(part) == _AT_ONCE:
            redis.hset(names.RECONCILER, "cursor", str(part[-1]))
        else:
            redis.hdel(names.RECONCILER, "cursor")
        return [at.member for at in part]

    def _mend_some(self, jobs: list[str], lists: list[MessageList], queues: dict[str, "_Queue"]) -> list[Message]:
        with self.ledger.redis.pipeline(transaction=False) as pipe:
            for job in jobs:
                pipe.hmget(names.job_key(job), "queue", "priority")
            about = pipe.execute()
        idle = {(one.queue, one.priority) for one in lists if one.is_empty}
        orders = []
        for job, (name, priority) in zip(jobs, about, strict=True):
            queue = queues.get(name or "", _Queue(0, None))
            empty = (name, priority) in idle, (names.DOCUMENTS_QUEUE, priority) in idle
            orders.append(Mending(job, queue.lanes, *empty, self.patience, queue.unserved, queue.paused))
        steps = self.ledger.mend(*orders)
        forget(self.ledger.redis, lists, (job for job, step in steps.items() if step is not None and not step.reply))
        return [message for step in steps.values() if step is not None for message in step.messages]

    def _unpublished(self, now: float) -> list[Message]:
        late = cast(
            "list[str]", self.ledger.redis.zrange(names.UNPUBLISHED, "-inf", str(now - self.tick), byscore=True)
        )
        return [Message(MessageKind.ENDED, job) for job in late]

    def _deliveries(self, now: float) -> list[Message]:
        """A message for the deliveries of webhooks, if one is due."""
        return [Message(MessageKind.DELIVER, "")] if self.ledger.redis.zcount(names.DUE, "-inf", now) else []

    def _forgotten(self, now: float) -> list[Message]:
        """Create jobs again that are in the spool and have not ended, but that Redis has lost."""
        redis = self.ledger.redis
        run_id, swept = redis.info("server")["run_id"], redis.hmget(names.RECONCILER, "run_id", "swept")
        if swept[0] == run_id and now - float(swept[1] or 0) < _SWEEP_SECONDS:
            return []
        messages: list[Message] = []
        done = now
        try:
            for job in unknown(redis, self.spool.jobs()):
                try:
                    if rounds.has_ended(self.spool, job):
                        continue
                    note = self.spool.read_json(job, JOB)
                    if now - float(note["created"]) >= _GRACE_SECONDS:
                        messages += self._take_up(job, note)
                    else:  # search again when it is old enough
                        done = now - _SWEEP_SECONDS + _GRACE_SECONDS
                except StorageAway:
                    raise
                except (OcrError, FileNotFoundError, KeyError, TypeError, ValueError) as e:
                    log.warning("job=%s: it cannot be created again from its folder in the spool: %s", job, e)
        except StorageError as e:  # the next run searches again; the messages of this one are sent all the same
            log.warning("the spool cannot be searched for jobs that Redis has lost: %s", e.message)
        else:
            redis.hset(names.RECONCILER, mapping={"run_id": run_id, "swept": str(done)})
        return messages

    def _take_up(self, job: str, note: dict[str, Any]) -> list[Message]:
        log.warning("job=%s: Redis had lost it; created again from the spool", job)
        source, options = Source(**note["source"]), Options.parse(note["options"])
        round = rounds.current_round(self.spool, job)
        return self.ledger.create(job, source, options, round, Submitter.from_json(note)).messages


def unknown(redis: Redis, jobs: Iterator[str]) -> Iterator[str]:
    """Those of these jobs that Redis does not know; it is asked about many at once."""
    while some := list(islice(jobs, _AT_ONCE)):
        with redis.pipeline(transaction=False) as pipe:
            for job in some:
                pipe.exists(names.job_key(job))
            yield from (job for job, known in zip(some, pipe.execute(), strict=True) if not known)
