"""What is handed over, before any server is asked."""

import io
import tempfile
from pathlib import Path
from typing import BinaryIO, cast

import pytest

from ocrqueue.client.status import status_of
from ocrqueue.client.submission import job_id, opened, parse
from ocrqueue.errors import InvalidOptions, QueueUnavailable
from ocrqueue.ledger import Job, Source
from ocrqueue.ledger.connection import address, connect, reaching
from ocrqueue.ledger.workers import Worker
from ocrqueue.options import Options
from ocrqueue.settings import Shared
from ocrqueue.states import JobState


def settings(redis: str) -> Shared:
    return Shared(Path("data"), redis, False, "data/spool", None, 100, 1000)


def test_a_key_is_always_the_same_job_and_no_key_never() -> None:
    assert job_id("invoice 7") == job_id("invoice 7") != job_id("invoice 8")
    assert job_id(None) != job_id(None)


@pytest.mark.parametrize(("key", "why"), [("", "the key is empty"), (7, "the key must be text, not int")])
def test_a_key_that_is_none_is_refused(key: object, why: str) -> None:
    with pytest.raises(InvalidOptions, match=why):
        job_id(cast("str", key))
    with pytest.raises(InvalidOptions, match=why):
        parse({"key": cast("str", key)})


def test_options_are_checked_by_name_and_value() -> None:
    assert parse({"formats": "text", "dpi": 300, "key": "k", "name": "n", "password": "p"}) == Options(
        formats=("text",), dpi=300
    )
    with pytest.raises(InvalidOptions, match="unknown option 'colour'"):
        parse({"colour": "red"})  # type: ignore[typeddict-unknown-key]


def test_each_kind_of_source_has_a_name(tmp_path: Path) -> None:
    file = tmp_path / "scan.pdf"
    file.write_bytes(b"abc")
    for source, expected in ((file, "scan.pdf"), (str(file), "scan.pdf"), (b"abc", "document")):
        with opened(source, None, seekable=False) as document:
            assert document.name == expected
            assert document.stream is not None
            assert document.stream.read() == b"abc"
    with file.open("rb") as stream, opened(stream, None, seekable=False) as document:
        assert document.name == "scan.pdf"
    with opened("https://host.example/a/b%20c.pdf", None, seekable=False) as document:
        assert (document.name, document.stream) == ("b c.pdf", None)
    with opened(b"abc", "mine.pdf", seekable=False) as document:
        assert document.name == "mine.pdf"


@pytest.mark.parametrize("source", [bytearray(b"abc"), memoryview(b"abc")])
def test_what_is_like_bytes_is_taken_as_bytes(source: bytearray | memoryview) -> None:
    with opened(source, None, seekable=True) as document:
        assert document.name == "document"
        assert document.stream is not None
        assert document.stream.read() == b"abc"


@pytest.mark.parametrize("source", [None, 0, 1.5, ["scan.pdf"], object()])
def test_what_is_no_source_is_refused(source: object) -> None:
    with (
        pytest.raises(InvalidOptions, match="a path, bytes, a binary stream or a URL, not "),
        opened(cast("str", source), None, seekable=False),
    ):
        pass


def test_a_stream_of_text_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "scan.pdf"
    file.write_text("abc")
    with file.open() as stream, tempfile.NamedTemporaryFile("w+") as wrapped:
        for text in (stream, wrapped, io.StringIO("abc")):
            with (
                pytest.raises(InvalidOptions, match="open it in binary mode"),
                opened(cast("BinaryIO", text), None, seekable=False),
            ):
                pass


def test_a_name_that_is_no_text_becomes_one() -> None:
    with opened(b"abc", "sc\udce4n.pdf", seekable=False) as document:
        assert document.name == "sc?n.pdf"


class Pipe(io.BytesIO):
    """A stream that cannot go back."""

    def seekable(self) -> bool:
        return False


def test_a_stream_that_cannot_go_back_is_compared_and_still_read() -> None:
    with opened(cast("BinaryIO", Pipe(b"abc")), None, seekable=True) as document:
        assert document.stream is not None
        assert document.as_source() == document.as_source()
        assert document.stream.read() == b"abc"


def test_an_address_shows_neither_user_nor_password() -> None:
    assert address(settings("rediss://me:se@cret@host.example:6380/2")) == "rediss://host.example:6380/2"
    assert address(settings("redis+socket:///run/r.sock?virtual_host=0")) == "/run/r.sock"


def test_a_server_that_is_not_there_is_named_without_its_password() -> None:
    away = settings("redis://me:secret@127.0.0.1:1/0")
    with pytest.raises(QueueUnavailable) as caught, reaching(away), connect(away) as redis:
        redis.ping()
    assert "redis://127.0.0.1:1/0 cannot be reached (Connection refused)" in caught.value.message
    assert "secret" not in caught.value.message


def job(state: str, **changes: object) -> Job:
    values: dict[str, object] = dict.fromkeys(Job.__dataclass_fields__)
    values |= {"id": "j", "state": JobState(state), "round": 1, "source": Source("a.pdf"), "options": Options()}
    values |= {"created": 0.0, "ok": 0, "failed": 0, "cancelled": 0, "cancelling": False, "lanes": 0}
    return Job(**{**values, **changes})  # type: ignore[arg-type]


def worker(*queues: str) -> Worker:
    return Worker("w", "host", 1, "0.1.0", queues)


def test_a_job_says_which_worker_is_missing() -> None:
    reading = job("running", pages=3, ok=1, queue="pages.rapidocr", engine="rapidocr")
    assert "no worker reads pages.rapidocr; start one" in str(status_of(reading, [worker("documents")]).waiting_for)
    assert status_of(reading, [worker("pages.rapidocr")]).waiting_for is None
    assert "no worker opens documents" in str(status_of(job("queued"), [worker("pages.rapidocr")]).waiting_for)
    assert status_of(job("queued"), [worker("documents")]).waiting_for is None
    read = job("running", pages=3, ok=3, queue="pages.rapidocr", engine="rapidocr")
    assert "puts the pages together" in str(status_of(read, [worker("pages.rapidocr")]).waiting_for)
    assert status_of(job("done", pages=3, ok=3), []).waiting_for is None
