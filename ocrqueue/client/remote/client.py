"""The client over HTTP, with the interface of `ocrqueue.client.Client`."""

import json
import math
import time
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import fields
from itertools import islice
from typing import Any, Unpack
from uuid import UUID

from ocrqueue.client import submission
from ocrqueue.client.children import Answer, Child, Outcome, ServedEngine
from ocrqueue.client.follow import Statuses, follow
from ocrqueue.client.handle import Follower
from ocrqueue.client.remote.api import Api, OutOfTime, until
from ocrqueue.client.remote.job import RemoteJob
from ocrqueue.client.remote.settings import RemoteSettings
from ocrqueue.client.status import DeadPage, JobStatus
from ocrqueue.client.submission import AnySource, Parameters
from ocrqueue.client.submission.many import Document, Submissions, one_by_one
from ocrqueue.errors import InvalidOptions, OcrError, UnknownJob
from ocrqueue.states import JobState

_FEW = 8  # jobs that are asked for one by one; more are looked for in the list
_AT_ONCE = 200  # jobs of a list in one request
_LONGEST_WAIT = 60.0  # seconds that the API waits at most
_STATUS = {field.name for field in fields(JobStatus)} - {"id", "state"}


class RemoteClient(Follower):
    """One queue, through its HTTP API. It connects on first use, and threads can share it."""

    def __init__(self, settings: RemoteSettings) -> None:
        self.settings = settings
        self.api = Api(settings)

    def submit(self, source: AnySource, **parameters: Unpack[Parameters]) -> RemoteJob:
        """Submit a document; see `ocrqueue.client.submit`."""
        return self.submit_as(submission.job_id(None), source, **parameters)

    def submit_as(self, job: str, source: AnySource, **parameters: Unpack[Parameters]) -> RemoteJob:
        """Submit a document. `job` is the idempotency key if `parameters` have none; the API chooses the job's id.

        So a submission whose answer was lost is sent again and makes no second job.
        """
        key = parameters.get("key")
        options = _options(parameters) | {"key": job if key is None else key}
        with ExitStack() as stack:
            upload = stack.enter_context(submission.opened(source, parameters.get("name"), seekable=True))
            if upload.stream is None:
                answer = self.api.post("jobs", json={"url": upload.url, "name": upload.name, **options})
            else:  # httpx2 sends a stream from its beginning
                at_start = upload.stream.tell() == 0
                stream = upload.stream if at_start else stack.enter_context(submission.copied(upload.stream))
                form = {name: _field(value) for name, value in options.items()}
                answer = self.api.post("jobs", data={"name": upload.name, **form}, files={"file": ("file", stream)})
        return RemoteJob(str(answer["job"]), self, self.api)

    def submit_many(
        self, sources: Iterable[AnySource | Document], **parameters: Unpack[Parameters]
    ) -> Submissions[RemoteJob]:
        """Submit many documents; see `ocrqueue.client.submit_many`."""
        _options(parameters)

        def submit(job: str, source: AnySource, given: Parameters) -> RemoteJob:
            return self.submit_as(job, source, **given)

        return Submissions(one_by_one(submit), sources, parameters)

    def job(self, job: str) -> RemoteJob:
        """Return a handle on the job with this id, without asking for it. Raises UnknownJob if it is not a UUID."""
        try:
            return RemoteJob(str(UUID(job)), self, self.api)
        except ValueError:
            raise UnknownJob(f"{job[:80]!r} is not a job's id; give one as `submit.py jobs` shows it") from None

    def is_submitted(self, job: str) -> bool:  # noqa: ARG002 -- the interface
        """False: only an answer of the API names the job's id."""
        return False

    # -- looking -----------------------------------------------------------------------------------------------------
    def statuses(self, jobs: Collection[str]) -> dict[str, JobStatus]:
        """The status of each job. Raises UnknownJob, QueueUnavailable."""
        found: dict[str, JobStatus] = {}
        if len(jobs) > _FEW:
            items = islice(self.api.items("jobs", limit=_AT_ONCE), _AT_ONCE + len(jobs))
            newest = (_status(item) for item in items)
            found = {status.id: status for status in newest if status.id in jobs}
        return found | {job: _status(self.api.get(f"jobs/{job}")) for job in jobs if job not in found}

    def follow(self, jobs: Collection[str], timeout: float | None = None) -> Iterator[Statuses]:
        """Yield the statuses of these jobs as `Follower.follow` says."""
        end = time.monotonic() + (math.inf if timeout is None else timeout)

        def read(due: Collection[str], known: Statuses) -> dict[str, JobStatus]:
            try:
                with until(end):
                    return self.statuses(due)
            except OutOfTime:
                if not known:
                    raise
                time.sleep(max(0.0, end - time.monotonic()))
                return {}

        return follow(_Wait(self.api), jobs, read, timeout)

    def jobs(self) -> list[JobStatus]:
        """The status of every job that the key may see, oldest first. Raises QueueUnavailable."""
        return [_status(item) for item in self.api.items("jobs", limit=_AT_ONCE)][::-1]

    def each_job(self, state: JobState | None = None) -> Iterator[JobStatus]:
        """These jobs, or those in a state. The API lists the newest first, so all are asked for before the first."""
        yield from (status for status in self.jobs() if state in (None, status.state))

    def newest_jobs(self, state: JobState | None = None, name: str | None = None) -> Iterator[JobStatus]:
        """The jobs in this state whose document has `name` in its name, newest first, asked for in parts. None: any."""
        yield from map(_status, self.api.items("jobs", limit=_AT_ONCE, state=state, name=name))

    def dead(self) -> list[DeadPage]:
        """The failed pages that a retry might read, oldest first. Raises QueueUnavailable."""
        return list(self.each_dead())

    def each_dead(self) -> Iterator[DeadPage]:
        """These pages, asked for in parts. Raises QueueUnavailable."""
        yield from (DeadPage(**item) for item in self.api.items("dead", limit=_AT_ONCE))

    # -- the workers -----------------------------------------------------------------------------------------------
    def children(self) -> list[Child]:
        """The state of each worker child after its last task. Raises QueueUnavailable."""
        known = {field.name for field in fields(Child)}
        found = self.api.get("models")["children"]
        return [Child(**{name: value for name, value in item.items() if name in known}) for item in found]

    def engines(self) -> list[ServedEngine]:
        """The engines that live workers serve. Raises QueueUnavailable."""
        known = {field.name for field in fields(ServedEngine)}
        found = self.api.get("engines")["engines"]
        return [ServedEngine(**{name: value for name, value in item.items() if name in known}) for item in found]

    def unload(self, seconds: float = 330) -> Iterator[Answer]:
        """Ask every worker child to free its models, for at most `seconds`. Raises QueueUnavailable.

        The API waits for a minute at most; those that still read a page then are asked again.
        """
        end, told = time.monotonic() + seconds, set()
        while True:
            left = max(0.0, end - time.monotonic())
            wait = min(left, _LONGEST_WAIT)
            items = self.api.post("models/unload", wait, params={"wait": wait})["children"]
            for answer in (Answer(item["host"], item["pid"], Outcome(item["outcome"])) for item in items):
                if (answer.outcome != Outcome.BUSY or wait == left) and (answer.host, answer.pid) not in told:
                    told.add((answer.host, answer.pid))
                    yield answer
            if wait == left or all(item["outcome"] != Outcome.BUSY for item in items):
                return


class _Wait:
    """Waits at the API for the end of a job."""

    def __init__(self, api: Api) -> None:
        self._api = api

    def listen(self) -> None:
        """Do nothing: each request waits for itself."""

    def wait(self, seconds: float, jobs: Sequence[str]) -> set[str]:
        """Wait for at most `seconds` until the first of these jobs has ended, and return it then."""
        end = time.monotonic() + seconds
        try:
            with until(end):
                answer = self._api.get(f"jobs/{jobs[0]}", seconds)
        except OcrError:  # the next look at the statuses finds out what is wrong
            time.sleep(max(0.0, end - time.monotonic()))
            return set()
        return {jobs[0]} if JobState(answer["state"]).has_ended else set()

    def close(self) -> None:
        """Do nothing: there is no subscription."""


def _options(parameters: Parameters) -> dict[str, Any]:
    """The parameters of a submission but key and name, as the API takes them. Raises InvalidOptions."""
    for name in ("notify", "owner"):
        if parameters.get(name) is not None:
            raise InvalidOptions(f"option {name} is not available over HTTP: leave it out, or unset OCR_API_URL")
    options = submission.parse(parameters).given()
    password, webhook = parameters.get("password"), parameters.get("webhook")
    try:
        text = password if isinstance(password, str | None) else bytes(password).decode()
    except UnicodeDecodeError as e:
        raise InvalidOptions("the password is not UTF-8: over HTTP it must be a text") from e
    extra = {"password": text or None, "webhook": webhook}
    return options | {name: value for name, value in extra.items() if value is not None}


def _field(value: Any) -> str:
    """The value of an option as a form field."""
    if isinstance(value, list):
        return ",".join(value)
    return value if isinstance(value, str) else json.dumps(value)


def _status(item: Mapping[str, Any]) -> JobStatus:
    """The status in a JSON object of a job. Fields that this version does not know are ignored."""
    known = {name: item[name] for name in _STATUS & item.keys()}
    return JobStatus(id=item["job"], state=JobState(item["state"]), **known)
