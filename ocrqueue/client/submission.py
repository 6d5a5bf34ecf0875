"""What a submission hands over: a file, a stream, bytes or a URL, and what the caller wants done with it."""

import hashlib
import io
import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from shutil import copyfileobj
from typing import BinaryIO, TypedDict, cast
from urllib.parse import unquote, urlsplit
from uuid import UUID, uuid4, uuid5

from ocrqueue.errors import InvalidOptions
from ocrqueue.ledger import Source
from ocrqueue.options import Options

Given = str | os.PathLike[str] | bytes | bytearray | memoryview | BinaryIO
_KEYS = UUID("6f1f3a52-0d0b-5a3e-9c55-1b8c6f0f6a10")  # the namespace of ids that follow from a caller's key
_CHUNK = 1 << 20


class Wish(TypedDict, total=False):
    """What may be asked for besides the source; `ocrqueue.options` says what each option takes."""

    formats: Sequence[str]  # made as soon as the job ends; others are made on demand
    pages: str | None  # such as "1-3,8,10-"
    lang: str | None
    engine: str
    model: str | None
    dpi: int | None
    text_layer: str  # "use" or "ignore" the text that a PDF brings along
    priority: str  # "low", "normal" or "high"
    fresh: bool  # read again although the same was read before
    notify: tuple[str, str] | None  # (task, queue) that hears of the job's end
    password: str | bytes | None  # of an encrypted document
    key: str | None  # makes the submission idempotent: the same key is the same job
    name: str | None  # of the document, where the source brings none or another one


@dataclass(frozen=True, slots=True)
class Upload:
    """A source that is ready to be sent."""

    name: str  # for people
    stream: BinaryIO | None  # its bytes; None: the worker fetches it
    url: str | None = None

    def as_source(self) -> Source:
        """The ledger's source of a document that is not in the spool; of one with bytes only to compare it."""
        if self.stream is None:
            return Source(self.name, spec={"url": self.url or ""})
        digest, size = _digest(self.stream)
        return Source(self.name, sha256=digest, bytes=size)


def is_url(source: object) -> bool:
    """Whether a source is fetched by the worker."""
    return isinstance(source, str) and source.lower().startswith(("http://", "https://"))


def url_name(url: str) -> str:
    """The name of the document behind a URL: the last part of its path, or else the host."""
    parts = urlsplit(url)
    return unquote(parts.path.rstrip("/").rpartition("/")[2]) or parts.hostname or "document"


@contextmanager
def opened(source: Given, name: str | None, seekable: bool) -> Iterator[Upload]:
    """The document behind a source; what is opened here is closed afterwards. Raises OSError, InvalidOptions.

    `seekable`: a stream that cannot go back is copied to a temporary file first.
    """
    with ExitStack() as stack:
        if isinstance(source, str) and is_url(source):
            yield Upload(_plain(name or url_name(source)), None, source)
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
                stream = stack.enter_context(_copy(stream))
        yield Upload(_plain(name or found), stream)


def parse(wish: Wish) -> Options:
    """The options among what is wished for. Raises InvalidOptions, for a key that is none too."""
    _check_key(wish.get("key"))
    values = {k: v for k, v in wish.items() if k not in ("password", "key", "name")}
    if isinstance(formats := values.get("formats"), str):
        values["formats"] = [formats]
    return Options.parse(values)


def job_id(key: str | None) -> str:
    """A new id, or the one that a key stands for. Raises InvalidOptions."""
    _check_key(key)
    return str(uuid4() if key is None else uuid5(_KEYS, key))


def _check_key(key: object) -> None:
    """An empty one is a variable that was not set, no doubt: every such submission would be the same job."""
    if key is not None and not isinstance(key, str):
        raise InvalidOptions(f"the key is a text, not {type(key).__name__}")
    if key == "":
        raise InvalidOptions("the key is empty: leave it out, or give one")


def _digest(stream: BinaryIO) -> tuple[str, int]:
    """The hash and length of what is left in a stream, which is then as it was."""
    start, digest, size = stream.tell(), hashlib.sha256(), 0
    while chunk := stream.read(_CHUNK):
        digest.update(chunk)
        size += len(chunk)
    stream.seek(start)
    return digest.hexdigest(), size


def _binary(source: object) -> BinaryIO:
    """A source that is a stream of bytes. Raises InvalidOptions for anything else."""
    if not callable(getattr(source, "read", None)):
        kind = type(source).__name__
        raise InvalidOptions(f"a source is a path, bytes, a binary stream or a URL, not {kind}: hand over one of these")
    stream = cast("BinaryIO", source)
    if isinstance(stream.read(0), str):
        raise InvalidOptions("the source is a stream of text: open it in binary mode")
    return stream


def _copy(stream: BinaryIO) -> BinaryIO:
    copy = cast("BinaryIO", tempfile.TemporaryFile())  # noqa: SIM115
    copyfileobj(stream, copy, _CHUNK)
    copy.seek(0)
    return copy


def _stream_name(stream: object) -> str:
    name = getattr(stream, "name", None)
    return Path(name).name if isinstance(name, str) and not name.startswith("<") else "document"


def _plain(name: str) -> str:
    """A name that UTF-8 can say: names of files may hold bytes that are no text."""
    return name.encode("utf-8", "replace").decode()
