"""The arguments of a submission."""

import io
import tempfile
from pathlib import Path
from typing import BinaryIO, cast

import pytest

from ocrqueue.client.submission import job_id, opened, parse
from ocrqueue.errors import InvalidOptions
from ocrqueue.options import Options


def test_a_key_always_gives_the_same_id_and_no_key_a_new_one() -> None:
    assert job_id("invoice 7") == job_id("invoice 7") != job_id("invoice 8")
    assert job_id(None) != job_id(None)


@pytest.mark.parametrize(("key", "why"), [("", "the key is empty"), (7, "the key must be text, not int")])
def test_an_invalid_key_is_refused(key: object, why: str) -> None:
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
def test_a_bytes_like_source_is_read_as_bytes(source: bytearray | memoryview) -> None:
    with opened(source, None, seekable=True) as document:
        assert document.name == "document"
        assert document.stream is not None
        assert document.stream.read() == b"abc"


@pytest.mark.parametrize("source", [None, 0, 1.5, ["scan.pdf"], object()])
def test_an_invalid_source_is_refused(source: object) -> None:
    with (
        pytest.raises(InvalidOptions, match="a path, bytes, a binary stream or a URL, not "),
        opened(cast("str", source), None, seekable=False),
    ):
        pass


def test_a_text_stream_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "scan.pdf"
    file.write_text("abc")
    with file.open() as stream, tempfile.NamedTemporaryFile("w+") as wrapped:
        for text in (stream, wrapped, io.StringIO("abc")):
            with (
                pytest.raises(InvalidOptions, match="open it in binary mode"),
                opened(cast("BinaryIO", text), None, seekable=False),
            ):
                pass


def test_bytes_of_a_name_that_are_not_text_are_replaced() -> None:
    with opened(b"abc", "sc\udce4n.pdf", seekable=False) as document:
        assert document.name == "sc?n.pdf"


class Pipe(io.BytesIO):
    """A stream that cannot seek."""

    def seekable(self) -> bool:
        return False


def test_a_stream_that_cannot_seek_is_hashed_and_read() -> None:
    with opened(cast("BinaryIO", Pipe(b"abc")), None, seekable=True) as document:
        assert document.stream is not None
        assert document.as_source() == document.as_source()
        assert document.stream.read() == b"abc"
