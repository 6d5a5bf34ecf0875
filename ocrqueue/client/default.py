"""The client that the environment asks for: over HTTP if OCR_API_URL is set, else over Redis and the spool."""

from collections.abc import Iterable
from functools import cache
from typing import Unpack

from ocrqueue.client.client import Client
from ocrqueue.client.handle import AnyClient, JobHandle
from ocrqueue.client.remote.settings import RemoteSettings, remote_settings
from ocrqueue.client.submission import AnySource, Parameters
from ocrqueue.client.submission.many import Document, Submissions
from ocrqueue.settings import Shared, shared


def submit(source: AnySource, *, client: AnyClient | None = None, **parameters: Unpack[Parameters]) -> JobHandle:
    """Submit a document: a path, bytes, a binary stream, or a URL that the workers are allowed to read.

    Returns as soon as the document is in the queue. Raises OSError for a file that cannot be read, InvalidOptions,
    DocumentError, QueueFull, QueueUnavailable or StorageError; no job exists then. The one exception is Unconfirmed,
    a QueueUnavailable: Redis did not answer whether it created the job, whose id is the error's `job`.
    """
    return (client or _shared_client(remote_settings() or shared())).submit(source, **parameters)


def submit_many(
    sources: Iterable[AnySource | Document], *, client: AnyClient | None = None, **parameters: Unpack[Parameters]
) -> Submissions[JobHandle]:
    """Submit many documents, several at a time; yields a `Submission` for each, in their order.

    Each has the job, or the error that `submit` would have raised: a bad document does not stop the others. Once it is
    yielded, its job is as durable as one of `submit`. `sources` may be a generator: a source is taken only shortly
    before it is submitted. `Document(source, key=...)` is a source with parameters of its own. Raises InvalidOptions.
    """
    return (client or _shared_client(remote_settings() or shared())).submit_many(sources, **parameters)


def default_client() -> AnyClient:
    """A new client, as the environment asks for. Raises SettingsError."""
    return _client(remote_settings() or shared())


def _client(settings: RemoteSettings | Shared) -> AnyClient:
    if isinstance(settings, RemoteSettings):
        from ocrqueue.client.remote.client import RemoteClient  # here, because the client of HTTP takes long to import

        return RemoteClient(settings)
    return Client(settings)


@cache
def _shared_client(settings: RemoteSettings | Shared) -> AnyClient:
    return _client(settings)
