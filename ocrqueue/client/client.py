"""Handing documents over and fetching what was read.

    from ocrqueue.client import submit

    job = submit("scan.pdf")
    print(job.text())

Needs Redis and the spool, and no engine. Settings come from the environment; see `ocrqueue.settings`.
"""

import time
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from functools import cache
from typing import Unpack, cast
from uuid import UUID

from redis.exceptions import RedisError

from ocrqueue import names
from ocrqueue.client import submission
from ocrqueue.client.job import Job
from ocrqueue.client.queue import Queue
from ocrqueue.client.submission import Given, Upload, Wish
from ocrqueue.errors import InvalidOptions, QueueFull, StorageError, UnknownJob
from ocrqueue.ledger import Source, fingerprint
from ocrqueue.ledger.connection import reaching
from ocrqueue.ledger.records import job_note
from ocrqueue.options import Options
from ocrqueue.settings import Shared, shared
from ocrqueue.storage.spool import JOB

__all__ = ["Client", "submit"]

MEMORY_SHARE = 0.8  # of Redis's memory limit, above which nothing new is taken


def submit(source: Given, *, client: "Client | None" = None, **wish: Unpack[Wish]) -> "Job":
    """Hand a document over: a path, bytes, a binary stream, or a URL that the workers are allowed to read.

    Returns as soon as the document is in the queue. Raises OSError for a file that cannot be read, InvalidOptions,
    DocumentError, QueueFull, QueueUnavailable or StorageError; then nothing of it is left in the queue.
    """
    return (client or _default_client(shared())).submit(source, **wish)


@cache
def _default_client(settings: Shared) -> "Client":
    return Client(settings)


class Client(Queue):
    """One queue that documents are submitted to: its Redis and its spool.

    Cheap to make, connected on first use, safe to share between threads.
    """

    def submit(self, source: Given, **wish: Unpack[Wish]) -> "Job":
        """Hand a document over; see `ocrqueue.client.submit`."""
        return self.submit_as(submission.job_id(wish.get("key")), source, **wish)

    def submit_as(self, job: str, source: Given, **wish: Unpack[Wish]) -> "Job":
        """The same under an id from `submission.job_id`, for who wants to know it whatever happens meanwhile."""
        options = submission.parse(wish)
        key = wish.get("key")
        with (
            submission.opened(source, wish.get("name"), seekable=key is not None) as upload,
            reaching(self.settings),
        ):
            if key is None or not self._is_known(job, key, upload, options):
                self._check_room()
                self._put(job, key, upload, options, wish.get("password"))
        return Job(job, self)

    def job(self, job: str) -> "Job":
        """A handle on a job by its id. Raises UnknownJob where that is no job's id; asks nobody yet."""
        try:
            return Job(str(UUID(job)), self)
        except ValueError:
            raise UnknownJob(f"{job[:80]!r} is not a job's id; give one as `submit.py jobs` shows it") from None

    # -- submitting ------------------------------------------------------------------------------------------------
    def _is_known(self, job: str, key: str, upload: Upload, options: Options) -> bool:
        """Whether the key's job is there already. Raises InvalidOptions where it was made of something else."""
        made_of = self.redis.hget(names.job_key(job), "fingerprint")
        if made_of is None:
            return False
        if made_of != fingerprint(upload.as_source(), options):
            raise self._other(job, key, options)
        return True

    def _other(self, job: str, key: str, options: Options) -> InvalidOptions:
        record = self.ledger.job(job)
        ours, theirs = options.given(), record.options.given()
        differing = sorted(name for name in ours.keys() | theirs.keys() if ours.get(name) != theirs.get(name))
        what = f"other options ({', '.join(differing)})" if differing else f"another document ({record.source.name})"
        return InvalidOptions(f"the key {key!r} already stands for job {record.id} with {what}; use another key")

    def _check_room(self) -> None:
        waiting, limit = self.ledger.backlog(), self.settings.max_queued_pages
        if waiting >= limit:
            raise QueueFull(
                f"{waiting:,} pages are waiting and {limit:,} are allowed; wait, or raise OCR_MAX_QUEUED_PAGES"
            )
        memory = cast("Mapping[str, int]", self.redis.info("memory"))
        if memory["maxmemory"] and memory["used_memory"] >= MEMORY_SHARE * memory["maxmemory"]:
            raise QueueFull(
                f"Redis uses {memory['used_memory'] / memory['maxmemory']:.0%} of its memory limit; "
                "wait until the queue has drained, or raise its maxmemory"
            )

    def _put(self, job: str, key: str | None, upload: Upload, options: Options, password: str | bytes | None) -> None:
        """The bytes first, then the record, then the message: whatever happens in between, nothing is lost or left."""
        with ExitStack() as undo:
            undo.callback(self._take_back, job)
            if upload.stream is None:
                source = upload.as_source()
                self.spool.check()
            else:
                stored = self.spool.put_source(job, upload.stream, self.settings.max_bytes)
                source = Source(upload.name, stored.file, stored.sha256, stored.bytes)
            if password:
                self.spool.put_password(job, password.encode() if isinstance(password, str) else password)
            self.spool.write_json(job, JOB, job_note(job, source, options, time.time()))
            step = self.ledger.create(job, source, options)
            undo.pop_all()
        if key is not None and not step.reply["same"]:  # somebody used the key at the same time
            raise self._other(job, key, options)
        self.send(step.messages)

    def _take_back(self, job: str) -> None:
        """Remove the bytes of a job that was not made; where Redis is away, nobody else can have made it."""
        with suppress(StorageError):
            try:
                self.ledger.job(job)
            except (UnknownJob, RedisError):
                self.spool.drop(job)
