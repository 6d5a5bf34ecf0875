"""Submit documents and fetch their results: `submit`, `Client` and `Job`."""

from ocrqueue.client.client import MEMORY_SHARE, Client, Job, submit
from ocrqueue.client.status import JobStatus

__all__ = ["MEMORY_SHARE", "Client", "Job", "JobStatus", "submit"]
