"""Submitting documents and fetching their results.

    from ocrqueue.client import submit

    job = submit("scan.pdf")
    print(job.text())

The client needs Redis and the spool, but no engine. It reads its settings from the environment; see
`ocrqueue.settings`.
"""

import math
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Unpack, cast
from uuid import UUID

from redis.exceptions import RedisError

from ocrqueue import languages
from ocrqueue.client import submission
from ocrqueue.client.job import Job
from ocrqueue.client.queue import Queue
from ocrqueue.client.submission import AnySource, Order, Parameters, Request
from ocrqueue.client.submission.group import Group
from ocrqueue.client.submission.many import AT_ONCE, Document, Submissions
from ocrqueue.engines.best import announced, best_engine, for_poor_pages, missing
from ocrqueue.errors import OcrError, QueueFull, UnknownJob
from ocrqueue.fetching.sources import check_announced as check_source
from ocrqueue.ledger import figures, queue_full, workers
from ocrqueue.ledger.deliveries import MAX_PENDING
from ocrqueue.options import Options
from ocrqueue.storage.spool import JOB
from ocrqueue.webhooks.settings import check_announced as check_webhook

_MEMORY_SECONDS = 0.5  # for which Redis's memory is not read again: to read it costs as much as the check of the pages
MEMORY_SHARE = 0.8  # share of Redis's memory limit above which submissions are refused
TOGETHER = 8  # documents of `submit_many` that are submitted as a group
_NEARLY = 20 * AT_ONCE * TOGETHER  # pages of room below which documents are submitted one by one; one counts as ten


class Client(Queue):
    """One queue that accepts documents: its Redis and its spool.

    A client connects on first use, and threads can share it.
    """

    _memory: Mapping[str, int] = {}  # of Redis, as it says
    _memory_read = -math.inf  # monotonic time at which it was read
    _room = 0  # pages that the queue took when it was last looked at

    def submit(self, source: AnySource, **parameters: Unpack[Parameters]) -> "Job":
        """Submit a document; see `ocrqueue.client.submit`."""
        return self.submit_as(submission.job_id(parameters.get("key")), source, **parameters)

    def submit_as(self, job: str, source: AnySource, **parameters: Unpack[Parameters]) -> "Job":
        """Submit a document as the job with this id, which comes from `submission.job_id`.

        For callers that need the id even if the submission is interrupted.
        """
        (found,) = self._submit_group([Request(job, source, parameters)])
        if isinstance(found, Exception):
            raise found
        return found

    def submit_many(
        self, sources: Iterable[AnySource | Document], **parameters: Unpack[Parameters]
    ) -> Submissions[Job]:
        """Submit many documents; see `ocrqueue.client.submit_many`."""
        Order.parse(parameters)

        def find(job: str) -> Job | None:
            return Job(job, self) if self.is_submitted(job) else None

        return Submissions(self._submit_group, sources, parameters, lambda: self.at_once(TOGETHER), find, TOGETHER)

    def _submit_group(self, requests: Sequence[Request]) -> list[Job | Exception]:
        errors = Group(self, self._check).submit(requests)
        return [error or Job(request.job, self) for request, error in zip(requests, errors, strict=True)]

    def at_once(self, together: int = 1) -> int:
        """How many documents may be under way, if so many are submitted together.

        One if the queue is nearly full, so that the limit holds.
        """
        return AT_ONCE * together if self._room > _NEARLY else 1

    def job(self, job: str) -> "Job":
        """Return a handle on the job with this id, without asking Redis. Raises UnknownJob if it is not a UUID."""
        try:
            return Job(str(UUID(job)), self)
        except ValueError:
            raise UnknownJob(f"{job[:80]!r} is not a job's id; give one as `submit.py jobs` shows it") from None

    def is_submitted(self, job: str) -> bool:
        """Whether a submission left a job: in Redis, or in the spool, where the reconciler finds it."""
        try:
            return bool(self.statuses([job]))
        except OcrError:
            with suppress(OcrError):
                return self.spool.exists(job, JOB)
        return False

    def check_room(self, with_webhook: bool = False) -> None:
        """Raise QueueFull if the queue has too many pages or calls of webhooks, or Redis has too little memory left."""
        if why := self._why_full(with_webhook):
            with suppress(RedisError):
                figures.count(self.redis, "refused", QueueFull.code)
            raise QueueFull(why)

    def check_language(self, options: Options) -> None:
        """Raise DocumentError (`language_missing`) if live workers serve engines, but none for the language."""
        if not options.lang:
            return
        live = workers.live(self.redis)
        served = announced(live)
        reads = {name: read for name, read in served.items() if options.engine in ("auto", name)}
        wanted = languages.parse(options.lang)
        if reads and best_engine(wanted, reads) is None:
            raise missing(wanted, reads, served, for_poor_pages(live))

    def _check(self, order: Order) -> None:
        self.check_language(order.options)
        webhook = order.submitter.webhook
        self.check_room(webhook is not None)
        if webhook or order.url is not None:
            live = workers.live(self.redis)
            if webhook:
                check_webhook(webhook, live)
            if order.url is not None:
                check_source(order.url, live)

    def _why_full(self, with_webhook: bool) -> str | None:
        """Why the queue takes no submission, and what to do; None if it has room."""
        waiting, limit = self.ledger.backlog(), self.settings.max_queued_pages
        self._room = limit - waiting
        if waiting >= limit:
            return queue_full(waiting, limit).message
        if with_webhook and self.deliveries.pending() >= MAX_PENDING:
            return f"{MAX_PENDING:,} calls of webhooks are pending, the limit; wait, or leave out the webhook"
        if time.monotonic() - self._memory_read > _MEMORY_SECONDS:
            self._memory = cast("Mapping[str, int]", self.redis.info("memory"))
            self._memory_read = time.monotonic()
        memory = self._memory
        if memory["maxmemory"] and memory["used_memory"] >= MEMORY_SHARE * memory["maxmemory"]:
            return (
                f"Redis uses {memory['used_memory'] / memory['maxmemory']:.0%} of its memory limit; "
                "wait until the queue has drained, or raise its maxmemory"
            )
        return None
