"""Answers that may be large: their text is made piece by piece in threads, and sent while it is made.

So an answer about ten thousand pages takes little memory, and neither the event loop nor another thread waits long for
it: the C code that parses and writes JSON lets no other thread run meanwhile.
"""

import json
import time
import weakref
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Iterator, Mapping
from tempfile import SpooledTemporaryFile
from typing import Any, TypeVar

import anyio
from anyio.to_thread import run_sync
from fastapi import Response
from fastapi.responses import StreamingResponse

T = TypeVar("T")
MAKERS = 4  # threads of a process that make large answers, or search: others are left for short requests
_JSON = "application/json"
_ENOUGH = 1 << 16  # bytes that are sent at a time
_SECONDS = 0.05  # after which a thread is given to another answer
_CHARACTERS = 1 << 16  # of a text that becomes JSON at a time
_IN_MEMORY = 1 << 20  # characters of a `Later` that are not on the disk
_LARGE = 2000  # lines of a page whose JSON is not written at once


async def slices(
    makers: anyio.CapacityLimiter, items: Iterator[T], weigh: Callable[[T], int] = lambda _: 0
) -> AsyncGenerator[list[T], None]:
    """The items, which are made in threads of `makers`, as many at a time as are made in 50 ms or weigh enough."""
    has_ended = False
    while not has_ended:
        found, has_ended = await run_sync(_slice, items, weigh, limiter=makers)
        yield found


def _slice(items: Iterator[T], weigh: Callable[[T], int]) -> tuple[list[T], bool]:
    """The next items, and whether they are the last ones."""
    found: list[T] = []
    weight, end = 0, time.monotonic() + _SECONDS
    for item in items:
        found.append(item)
        weight += weigh(item)
        if weight >= _ENOUGH or time.monotonic() > end:
            return found, False
    return found, True


async def streamed(makers: anyio.CapacityLimiter, parts: Iterator[str]) -> Response:
    """The answer with these parts of a JSON text, which are made in threads of `makers`; a part may be empty.

    Raises what making the first 64 KiB raises. After that, an error ends the connection.
    """
    pieces = slices(makers, (part.encode("utf-8", "replace") for part in parts), len)
    first: list[bytes] = []
    async for piece in pieces:
        first += piece
        if sum(map(len, first)) >= _ENOUGH:
            return StreamingResponse(_sent(first, pieces), media_type=_JSON)
    return Response(b"".join(first), media_type=_JSON)


async def _sent(first: list[bytes], rest: AsyncIterator[list[bytes]]) -> AsyncIterator[bytes]:
    yield b"".join(first)
    async for piece in rest:
        yield b"".join(piece)


def dumped(value: object) -> str:
    """A value as JSON. Raises ValueError for what JSON does not have, such as NaN."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def list_of(items: Iterable[object]) -> Iterator[str]:
    """The JSON of a list in parts."""
    separator = "["
    for item in items:
        yield separator + dumped(item)
        separator = ", "
    yield "[]" if separator == "[" else "]"


def text_of(parts: Iterable[str]) -> Iterator[str]:
    """The JSON of a text that comes in parts."""
    yield '"'
    for part in parts:
        yield dumped(part)[1:-1]
    yield '"'


def parts_of(value: Mapping[str, Any], lines: int) -> Iterator[str]:
    """The JSON of an object about a page with so many lines, in parts if they are many."""
    if lines < _LARGE:
        yield dumped(value)
    else:
        yield from json.JSONEncoder(ensure_ascii=False, allow_nan=False).iterencode(value)


class Later:
    """A text that is sent after it was made; most of a long one is on the disk meanwhile."""

    def __init__(self) -> None:
        self._file = SpooledTemporaryFile(_IN_MEMORY, "w+", encoding="utf-8", errors="replace", newline="")  # noqa: SIM115
        weakref.finalize(self, self._file.close)  # an answer may end before all of it is sent

    def write(self, text: str) -> None:
        """Add a part."""
        self._file.write(text)

    def parts(self) -> Iterator[str]:
        """The whole text. Nothing is added any more."""
        self._file.seek(0)
        while part := self._file.read(_CHARACTERS):
            yield part


class LaterItems:
    """The items of a list or of an object that is sent after it was made."""

    def __init__(self) -> None:
        self.count = 0
        self._text = Later()

    def add(self, item: object, name: str | None = None) -> None:
        """Add an item of a list, or of an object under a name."""
        before = ", " if self.count else ""
        self._text.write(before + ("" if name is None else dumped(name) + ": ") + dumped(item))
        self.count += 1

    def parts(self) -> Iterator[str]:
        """The JSON of the items, without the brackets around them."""
        return self._text.parts()
