"""Submit documents and fetch their results: `submit`, `Client` and `Job`."""

from ocrqueue.client.client import Client, submit
from ocrqueue.client.job import Job
from ocrqueue.client.status import JobStatus

__all__ = ["Client", "Job", "JobStatus", "submit"]
