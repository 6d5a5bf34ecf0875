"""Takes a multipart body apart while it arrives: form fields to memory, documents piece by piece to the caller."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from ocrqueue.ledger.encoding import shown_name
from ocrqueue.web.problems import ApiError

MAX_FILES = 100  # in one request
_MAX_FIELDS = 100
_MAX_FIELD_BYTES = 65_536  # of the value of one field
_MAX_VALUE_BYTES = 1 << 18  # of the values of all fields together
_DISPOSITION = b"content-disposition"


@dataclass(slots=True, eq=False)
class Part:
    """A part of the body that is a document."""

    name: str  # of the document
    waiting: bytearray = field(default_factory=bytearray)  # bytes that arrived and are not stored yet
    is_complete: bool = False


class FormParser:
    """Takes one multipart body apart. Raises ApiError for a body that is damaged, or has too much of something."""

    def __init__(self, content_type: str, file_fields: Sequence[str]) -> None:
        self.fields: list[tuple[str, str]] = []  # name and value, in order
        self.files: list[Part] = []  # in order
        self._file_fields = file_fields
        self._part: Part | None = None  # that is arriving; None: a form field is
        self._field = ""  # name of the form field that is arriving
        self._value = bytearray()
        self._value_bytes = 0  # of all fields
        self._header = (bytearray(), bytearray())  # name and value of the header that is arriving
        self._disposition = b""
        self._has_ended = False
        boundary = parse_options_header(content_type)[1].get(b"boundary")
        if not boundary:
            raise _damaged("its Content-Type has no boundary")
        try:
            self._parser = MultipartParser(
                boundary,
                {
                    "on_part_begin": self._begin,
                    "on_header_field": lambda data, start, end: self._header[0].extend(data[start:end]),
                    "on_header_value": lambda data, start, end: self._header[1].extend(data[start:end]),
                    "on_header_end": self._end_header,
                    "on_headers_finished": self._end_headers,
                    "on_part_data": self._data,
                    "on_part_end": self._end_part,
                    "on_end": self._end,
                },
            )
        except FormParserError as e:
            raise _damaged(str(e)) from e

    def feed(self, piece: bytes) -> list[Part]:
        """Take the next piece of the body; returns the documents that have new bytes."""
        try:
            self._parser.write(piece)
        except FormParserError as e:
            raise _damaged(str(e)) from e
        return [part for part in self.files if part.waiting]

    def finish(self) -> None:
        """Raise ApiError if the body ended too early."""
        if not self._has_ended:
            raise _damaged("it ends before its last boundary")

    def _begin(self) -> None:
        self._disposition, self._part, self._value = b"", None, bytearray()

    def _end_header(self) -> None:
        name, value = self._header
        if bytes(name).lower() == _DISPOSITION:
            self._disposition = bytes(value)
        self._header = (bytearray(), bytearray())

    def _end_headers(self) -> None:
        options = parse_options_header(self._disposition)[1]
        if b"name" not in options:
            raise _damaged("a part has no name")
        self._field = _text(options[b"name"])
        if b"filename" in options:
            self._begin_file(_text(options[b"filename"]))
        elif self._field in self._file_fields:
            raise ApiError(
                "invalid_request",
                f"the field {self._field} has no file name, so it is no file; with curl: -F {self._field}=@scan.pdf",
            )
        elif len(self.fields) >= _MAX_FIELDS:
            raise ApiError("too_large", f"the form has more than {_MAX_FIELDS} fields: leave some out")

    def _begin_file(self, name: str) -> None:
        if self._field not in self._file_fields:
            fields = " or ".join(self._file_fields)
            raise ApiError("invalid_request", f"there is a file in the field {self._field[:80]!r}: send it as {fields}")
        if len(self.files) >= MAX_FILES:
            raise ApiError("too_large", f"the form has more than {MAX_FILES} files: send several requests")
        self._part = Part(shown_name(last_part(name)))
        self.files.append(self._part)

    def _data(self, data: bytes, start: int, end: int) -> None:
        if self._part:
            self._part.waiting += memoryview(data)[start:end]
            return
        self._value += memoryview(data)[start:end]
        self._value_bytes += end - start
        if self._value_bytes > _MAX_VALUE_BYTES:
            raise ApiError("too_large", f"the fields of the form have more than {_MAX_VALUE_BYTES:,} bytes together")
        if len(self._value) > _MAX_FIELD_BYTES:
            raise ApiError("too_large", f"the field {self._field[:80]!r} has more than {_MAX_FIELD_BYTES:,} bytes")

    def _end_part(self) -> None:
        if self._part:
            self._part.is_complete = True
        else:
            self.fields.append((self._field, _text(self._value)))

    def _end(self) -> None:
        self._has_ended = True


def last_part(path: str) -> str:
    """The name of a file without folders, of this system or of Windows; "" if the path names none."""
    return path.replace("\\", "/").rpartition("/")[2].strip()


def _text(value: bytes | bytearray) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1")


def _damaged(why: str) -> ApiError:
    return ApiError("incomplete_request", f"the multipart body cannot be read: {why}")
