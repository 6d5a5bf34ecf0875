"""Submit documents and fetch their results: `submit`, `default_client`, `Client` and `Job`."""

from ocrqueue.client.client import Client
from ocrqueue.client.default import default_client, submit
from ocrqueue.client.handle import AnyClient, JobHandle
from ocrqueue.client.job import Job
from ocrqueue.client.status import JobStatus

__all__ = ["AnyClient", "Client", "Job", "JobHandle", "JobStatus", "default_client", "submit"]
