"""Multipart bodies: the same parts come out, however the body is cut; damaged and excessive ones are refused."""

import pytest

from ocrqueue.web.intake.multipart import FormParser, last_part
from ocrqueue.web.problems import ApiError

TYPE = "multipart/form-data; boundary=XX"
FILE = b'--XX\r\nContent-Disposition: form-data; name="file"; filename="%s"\r\nContent-Type: image/png\r\n\r\n%s\r\n'
FIELD = b'--XX\r\nContent-Disposition: form-data; name="%s"\r\n\r\n%s\r\n'
END = b"--XX--\r\n"
BODY = FILE % (b"a.png", b"\x00\r\n--X\xff") + FIELD % (b"lang", b"de") + FILE % (b"b.png", b"bb") + END


def parsed(body: bytes, step: int = 1 << 20) -> tuple[list[tuple[str, str]], list[tuple[str, bytes]]]:
    """(fields, files) of a body that is fed in pieces of `step` bytes."""
    parser = FormParser(TYPE, ("file",))
    for start in range(0, len(body), step):
        parser.feed(body[start : start + step])
    parser.finish()
    assert all(part.is_complete for part in parser.files)
    return parser.fields, [(part.name, bytes(part.waiting)) for part in parser.files]


@pytest.mark.parametrize("step", [1, 2, 7, 64, 1000])
def test_parts_do_not_depend_on_how_the_body_is_cut(step: int) -> None:
    assert parsed(BODY, step) == ([("lang", "de")], [("a.png", b"\x00\r\n--X\xff"), ("b.png", b"bb")])


def test_a_piece_names_the_documents_that_got_bytes() -> None:
    parser = FormParser(TYPE, ("file",))
    (part,) = parser.feed(FILE % (b"a.png", b"12345"))
    part.waiting.clear()
    assert parser.feed(FIELD % (b"lang", b"de") + END) == []


def test_names_are_plain() -> None:
    assert parsed(FILE % ("ä/../ü\t.png".encode(), b"1") + END)[1] == [("ü.png", b"1")]
    assert parsed(FILE % (b"", b"1") + END)[1] == [("document", b"1")]
    assert last_part("C:\\scans\\a.pdf") == "a.pdf"


def test_field_names_and_values_are_utf8_or_latin1() -> None:
    assert parsed(FIELD % (b"lang", "é".encode()) + FIELD % (b"name", b"\xe9") + END)[0] == [
        ("lang", "é"),
        ("name", "é"),
    ]


@pytest.mark.parametrize(
    ("body", "code", "message"),
    [
        (BODY[:-6], "incomplete_request", "it ends before its last boundary"),
        (b"", "incomplete_request", "it ends before its last boundary"),
        (b"no multipart at all" * 10, "incomplete_request", "cannot be read"),
        (b"--XX\r\nContent-Type: image/png\r\n\r\n1\r\n" + END, "incomplete_request", "a part has no name"),
        (FIELD % (b"file", b"text") + END, "invalid_request", "has no file name"),
        ((FILE % (b"a", b"1")).replace(b'"file"', b'"scan"') + END, "invalid_request", "send it as file"),
        (FILE % (b"a", b"1") * 101 + END, "too_large", "more than 100 files"),
        (FIELD % (b"lang", b"de") * 101 + END, "too_large", "more than 100 fields"),
        (FIELD % (b"lang", b"x" * 65_537) + END, "too_large", "more than 65,536 bytes"),
    ],
)
def test_bad_bodies_are_refused(body: bytes, code: str, message: str) -> None:
    with pytest.raises(ApiError, match=message) as found:
        parsed(body, 1000)
    assert found.value.code == code


@pytest.mark.parametrize("kind", ["multipart/form-data", "multipart/form-data; boundary=" + "x" * 300])
def test_the_boundary_must_be_usable(kind: str) -> None:
    with pytest.raises(ApiError, match="multipart body cannot be read"):
        FormParser(kind, ("file",))
