"""The reconciler finds jobs that do not move on, and makes them move. It changes nothing in a healthy job.

All state is in Redis; Celery messages only start work. So after a lost message or a killed worker the job is intact,
but nothing happens in it. Each run looks at every open job once, and reads the lengths of the queues.
"""

import logging
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, cast

from ocrqueue import names
from ocrqueue.errors import OcrError
from ocrqueue.ledger import Ledger, Message, NewerRecord, Source, Submitter, figures
from ocrqueue.ledger.workers import Worker, live
from ocrqueue.options import Options
from ocrqueue.states import MessageKind, Return
from ocrqueue.steps.lanes import children_of, wanted_lanes
from ocrqueue.storage import rounds
from ocrqueue.storage.spool import JOB, Spool

log = logging.getLogger(__name__)

# kombu has one list for each of its four priorities
_PRIORITY_LISTS = ("", "\x06\x163", "\x06\x166", "\x06\x169")
_SWEEP_SECONDS = 600  # how often the spool is searched for jobs that Redis has lost
_GRACE_SECONDS = 120  # a younger job may not have been written to Redis yet


@dataclass(frozen=True, slots=True)
class Reconciler:
    """The reconciler. Two processes may call `run` at the same time."""

    ledger: Ledger
    spool: Spool
    tick: float  # seconds between runs
    patience: float  # seconds after which pages fail if no worker reads them

    def run(self) -> list[Message]:
        """Free lost claims and wake jobs. Returns the messages to send, also for ends that were not published."""
        now = self.ledger.now()
        workers = live(self.ledger.redis)
        messages: list[Message] = []
        if self._may_free(now):
            messages += self._free(now)
        messages += self._mend(workers)
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

    def _mend(self, workers: list[Worker]) -> list[Message]:
        jobs = cast("list[str]", self.ledger.redis.zrange(names.OPEN, 0, -1))
        if not jobs:
            return []
        queues = self._queues(jobs)
        lengths = self._lengths({names.DOCUMENTS_QUEUE, *(q for q in queues.values() if q)})
        children = {queue: children_of(queue, workers) for queue in lengths}
        messages: list[Message] = []
        for job, queue in queues.items():
            wanted = wanted_lanes(children.get(queue, 0))
            empty = not lengths.get(queue, 0)
            with suppress(NewerRecord):  # a reconciler of the newer version wakes it
                idle = not lengths[names.DOCUMENTS_QUEUE]
                messages += self.ledger.mend(job, wanted, empty, idle, self.patience).messages
        return messages

    def _queues(self, jobs: list[str]) -> dict[str, str]:
        with self.ledger.redis.pipeline(transaction=False) as pipe:
            for job in jobs:
                pipe.hget(names.job_key(job), "queue")
            return {job: queue or "" for job, queue in zip(jobs, pipe.execute(), strict=True)}

    def _lengths(self, queues: set[str]) -> dict[str, int]:
        with self.ledger.redis.pipeline(transaction=False) as pipe:
            for queue in queues:
                for suffix in _PRIORITY_LISTS:
                    pipe.llen(queue + suffix)
            found = iter(pipe.execute())
        return {queue: sum(next(found) for _ in _PRIORITY_LISTS) for queue in queues}

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
        redis.hset(names.RECONCILER, mapping={"run_id": run_id, "swept": str(now)})
        messages: list[Message] = []
        for job in self.spool.jobs():
            if redis.exists(names.job_key(job)):
                continue
            try:
                if rounds.has_ended(self.spool, job):
                    continue
                note = self.spool.read_json(job, JOB)
                if now - float(note["created"]) >= _GRACE_SECONDS:
                    messages += self._take_up(job, note)
                else:  # search again when it is old enough
                    redis.hset(names.RECONCILER, "swept", str(now - _SWEEP_SECONDS + _GRACE_SECONDS))
            except (OcrError, FileNotFoundError, KeyError, TypeError, ValueError) as e:
                log.warning("job=%s: it cannot be created again from its folder in the spool: %s", job, e)
        return messages

    def _take_up(self, job: str, note: dict[str, Any]) -> list[Message]:
        log.warning("job=%s: Redis had lost it; created again from the spool", job)
        source, options = Source(**note["source"]), Options.parse(note["options"])
        round = rounds.current_round(self.spool, job)
        return self.ledger.create(job, source, options, round, Submitter.from_json(note)).messages
