"""The arguments of a submission: the source (a file, a stream, bytes or a URL) and the parameters."""

import hashlib
import io
import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from shutil import copyfileobj
from typing import BinaryIO, TypedDict, cast
from urllib.parse import unquote, urlsplit
from uuid import UUID, uuid4, uuid5

from ocrqueue import languages
from ocrqueue.errors import InvalidOptions
from ocrqueue.ledger import NOBODY, Source, Submitter
from ocrqueue.ledger.encoding import shown_name
from ocrqueue.options import Options
from ocrqueue.storage.spool import Spool
from ocrqueue.webhooks.parameters import WebhookParameters, parse_webhook


@dataclass(frozen=True, slots=True)
class Received:
    """A complete file that the submission may take: it moves into a local spool, and is copied to object storage.

    It must lie in `Spool.uploads_folder`.
    """

    name: str  # of the document
    path: Path
    sha256: str  # of its bytes, in hexadecimal
    bytes: int  # length


@dataclass(frozen=True, slots=True)
class UrlSource:
    """A document at an HTTP URL, which a worker downloads. Unlike a text, it is never taken for the path of a file."""

    url: str


AnySource = str | os.PathLike[str] | bytes | bytearray | memoryview | BinaryIO | Received | UrlSource
_KEYS = UUID("6f1f3a52-0d0b-5a3e-9c55-1b8c6f0f6a10")  # namespace of the job ids that are made from keys
_CHUNK = 1 << 20
_LONGEST_OWNER = 100  # characters
_NO_OPTIONS = frozenset({"password", "key", "name", "owner", "owner_pages", "webhook"})


class Parameters(TypedDict, total=False):
    """The parameters of a submission besides its source; see `ocrqueue.options` for the values of the options."""

    formats: Sequence[str]  # made when the job ends; the other formats are made on request
    pages: str | None  # such as "1-3,8,10-"
    lang: str | None
    engine: str
    model: str | None
    dpi: int | None
    text_layer: str  # "use" or "ignore" the text layer of a PDF
    priority: str  # "low", "normal" or "high"
    structure: bool  # find headings, lists, tables and so on; implied by formats that are made from them
    keep_running_heads: bool  # in Markdown and HTML, with feet and page numbers
    fresh: bool  # read the pages again even if the page cache has them
    notify: tuple[str, str] | None  # (task, queue) of the message that is sent when the job ends
    password: str | bytes | None  # of an encrypted document
    key: str | None  # makes the submission idempotent: submissions with the same key return the same job
    name: str | None  # of the document; default: the name of the file or URL
    owner: str | None  # name of the API key for which the job is submitted
    owner_pages: int | None  # open pages that the jobs of the owner may have, or it raises TooManyOpenPages
    webhook: str | WebhookParameters | None  # URL that is called when the job ends; see `ocrqueue.webhooks.parameters`


@dataclass(frozen=True, slots=True)
class Request:
    """A document that is to be submitted as the job with this id."""

    job: str
    source: AnySource
    parameters: Parameters


@dataclass(frozen=True, slots=True)
class Order:
    """The parameters of a submission, checked."""

    options: Options
    key: str | None = None  # as in `Parameters`
    password: bytes | None = field(default=None, repr=False)
    submitter: Submitter = NOBODY
    url: str | None = None  # from which a worker downloads the document; None: it is in the spool

    @classmethod
    def parse(cls, parameters: Parameters) -> "Order":
        """Check the parameters. Raises InvalidOptions."""
        password = parameters.get("password")
        return cls(
            parse(parameters),
            parameters.get("key"),
            password.encode() if isinstance(password, str) else password,
            _submitter(parameters),
        )


@dataclass(frozen=True, slots=True)
class Upload:
    """A source that is open and ready to be stored in the spool."""

    name: str  # of the document
    stream: BinaryIO | None = None  # its bytes, if the document is neither at `url` nor `received`
    url: str | None = None  # from which the worker downloads it
    received: Received | None = None

    def as_source(self) -> Source:
        """The ledger's description of this source, without a file in the spool.

        Reads the stream to its end and goes back to where it was.
        """
        if self.received:
            return Source(self.name, sha256=self.received.sha256, bytes=self.received.bytes)
        if self.stream is None:
            return Source(self.name, spec={"url": self.url or ""})
        digest, size = _digest(self.stream)
        return Source(self.name, sha256=digest, bytes=size)

    def store(self, spool: Spool, job: str, limit: int) -> Source:
        """Put the document into the job's folder; a URL stays one. Raises DocumentError, StorageError."""
        if self.received:
            stored = spool.adopt_source(job, self.received.path, self.received.sha256, self.received.bytes)
        elif self.stream is not None:
            stored = spool.put_source(job, self.stream, limit)
        else:
            spool.check()
            return self.as_source()
        return Source(self.name, stored.file, stored.sha256, stored.bytes)


def is_url(source: object) -> bool:
    """Whether a source is an HTTP URL, which a worker downloads."""
    return isinstance(source, str) and source.lower().startswith(("http://", "https://"))


def url_name(url: str) -> str:
    """The name of the document at a URL: the last part of its path, or the host if the path is empty.

    Raises InvalidOptions if the URL cannot be taken apart.
    """
    try:
        parts = urlsplit(url)
    except ValueError as e:
        raise InvalidOptions(f"the URL {url[:80]!r} is not allowed: {e}") from None
    return unquote(parts.path.rstrip("/").rpartition("/")[2]) or parts.hostname or "document"


@contextmanager
def opened(source: AnySource, name: str | None, seekable: bool) -> Iterator[Upload]:
    """Open a source, and close it when the block ends. Raises OSError, InvalidOptions.

    With `seekable`, a stream that cannot seek is copied to a temporary file first.
    """
    with ExitStack() as stack:
        if isinstance(source, str) and is_url(source):
            source = UrlSource(source)
        if isinstance(source, UrlSource):
            yield Upload(shown_name(name or url_name(source.url)), url=source.url)
            return
        if isinstance(source, Received):
            yield Upload(shown_name(name or source.name), received=source)
            return
        if isinstance(source, bytes | bytearray | memoryview):
            stream: BinaryIO = io.BytesIO(source)
            found = "document"
        elif isinstance(source, str | os.PathLike):
            stream = stack.enter_context(Path(source).open("rb"))
            found = Path(source).name
        else:
            stream, found = _binary(source), _stream_name(source)
            if seekable and not stream.seekable():
                stream = stack.enter_context(copied(stream))
        yield Upload(shown_name(name or found), stream)


def parse(parameters: Parameters) -> Options:
    """The options among the parameters. Raises InvalidOptions, also for a key of a wrong type."""
    _check_key(parameters.get("key"))
    values = {k: v for k, v in parameters.items() if k not in _NO_OPTIONS}
    if isinstance(formats := values.get("formats"), str):
        values["formats"] = [formats]
    options = Options.parse(values)
    if options.lang is not None:
        languages.parse(options.lang)
    return options


def job_id(key: str | None) -> str:
    """The id of a new job, or the id of the job with this key. Raises InvalidOptions."""
    _check_key(key)
    return str(uuid4() if key is None else uuid5(_KEYS, key))


def _check_key(key: object) -> None:
    """Raise InvalidOptions for a key that is not text, or is empty.

    An empty key probably comes from a variable that is not set, and would make all such submissions the same job.
    """
    if key is not None and not isinstance(key, str):
        raise InvalidOptions(f"the key must be text, not {type(key).__name__}")
    if key == "":
        raise InvalidOptions("the key is empty: leave it out, or give a text")


def _submitter(parameters: Parameters) -> Submitter:
    owner, webhook = parameters.get("owner"), parameters.get("webhook")
    if owner is not None and not (isinstance(owner, str) and 0 < len(owner) <= _LONGEST_OWNER):
        raise InvalidOptions(f"the owner is the name of an API key, a text of at most {_LONGEST_OWNER} characters")
    return Submitter(owner, None if webhook is None else parse_webhook(webhook), parameters.get("owner_pages"))


def _digest(stream: BinaryIO) -> tuple[str, int]:
    """SHA-256 (hexadecimal) and length (bytes) of the rest of a stream, which goes back to where it was."""
    start, digest, size = stream.tell(), hashlib.sha256(), 0
    while chunk := stream.read(_CHUNK):
        digest.update(chunk)
        size += len(chunk)
    stream.seek(start)
    return digest.hexdigest(), size


def _binary(source: object) -> BinaryIO:
    """Return a source that is a stream of bytes. Raises InvalidOptions for anything else."""
    if not callable(getattr(source, "read", None)):
        kind = type(source).__name__
        raise InvalidOptions(f"a source is a path, bytes, a binary stream or a URL, not {kind}: pass one of these")
    stream = cast("BinaryIO", source)
    if isinstance(stream.read(0), str):
        raise InvalidOptions("the source is a text stream: open it in binary mode")
    return stream


def copied(stream: BinaryIO) -> BinaryIO:
    """A temporary file with the rest of a stream; it goes when it is closed."""
    copy = cast("BinaryIO", tempfile.TemporaryFile())  # noqa: SIM115
    copyfileobj(stream, copy, _CHUNK)
    copy.seek(0)
    return copy


def _stream_name(stream: object) -> str:
    name = getattr(stream, "name", None)
    return Path(name).name if isinstance(name, str) and not name.startswith("<") else "document"
