"""Which jobs a caller may see and change."""

from ocrqueue.client import Job, JobStatus
from ocrqueue.errors import UnknownJob
from ocrqueue.web.keys import Key, Right
from ocrqueue.web.problems import ApiError
from ocrqueue.web.service import Service


def seen_job(service: Service, key: Key, job: str) -> tuple[Job, JobStatus]:
    """A job and its status. Raises UnknownJob if there is none, and also if the caller may not see it."""
    handle = service.client.job(job)
    status = handle.status()
    if not may_see(key, status):
        raise UnknownJob(f"no job {handle.id}: `GET /api/v1/jobs` lists those of your key")
    return handle, status


def own_job(service: Service, key: Key, job: str) -> tuple[Job, JobStatus]:
    """A job that the caller may change, and its status. Raises UnknownJob as `seen_job`, and ApiError."""
    handle, status = seen_job(service, key, job)
    if not (owns(key, status) or key.may(Right.OPERATE)):
        raise ApiError("key_rights", f"the API key {key.name!r} may see this job, but lacks the right to change it")
    return handle, status


def may_see(key: Key, status: JobStatus) -> bool:
    """Whether a caller may see a job."""
    return key.may(Right.READ_ALL) or owns(key, status)


def owns(key: Key, status: JobStatus) -> bool:
    """Whether the job was submitted with this key."""
    return bool(key.name) and status.owner == key.name
