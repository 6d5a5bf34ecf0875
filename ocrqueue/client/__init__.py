"""Submit documents and fetch their results: `submit`, `submit_many`, `default_client`, `Client` and `Job`."""

from ocrqueue.client.client import Client
from ocrqueue.client.default import default_client, submit, submit_many
from ocrqueue.client.handle import AnyClient, JobHandle
from ocrqueue.client.job import Job
from ocrqueue.client.status import JobStatus
from ocrqueue.client.submission.many import Document, Submission

__all__ = [
    "AnyClient", "Client", "Document", "Job", "JobHandle", "JobStatus", "Submission", "default_client", "submit",
    "submit_many",
]  # fmt: skip
