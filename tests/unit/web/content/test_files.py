"""Files of the spool as answers: each is opened once, whatever part of it is wanted."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import anyio
import pytest
from starlette.requests import Request
from starlette.types import Message

from ocrqueue.storage.base import Content
from ocrqueue.storage.spool import Spool
from ocrqueue.web.content.files import SpoolFile
from ocrqueue.web.problems import ApiError

JOB = "5f0c9a52-6f6e-4b1e-9d55-0a4f7a2b7c11"
BYTES = bytes(range(256)) * 4000


class CountingSpool(Spool):
    """A spool that knows what it opened, and what was closed again."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.opened: list[Content] = []
        self.closed: list[Content] = []

    def content(self, job: str, name: str) -> Content:
        found = super().content(job, name)
        self.opened.append(found)
        close = found.close

        def closing() -> None:
            self.closed.append(found)
            close()

        found.close = closing  # type: ignore[method-assign]
        return found


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[CountingSpool]:
    spool = CountingSpool(str(tmp_path / "spool"))
    spool.prepare()
    spool.write_json(JOB, "job.json", {})
    with spool.open_write_bytes(JOB, "result-1.json") as file:
        file.write(BYTES)
    yield spool
    assert len(spool.opened) == 1
    assert set(spool.closed) == set(spool.opened)


def sent(spool: Spool, **headers: str) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and content of the answer to a request with these headers."""
    scope = {
        "type": "http",
        "headers": [(name.replace("_", "-").lower().encode(), value.encode()) for name, value in headers.items()],
    }
    found: list[Message] = []

    async def send(message: Message) -> None:
        found.append(message)

    async def receive() -> Message:
        await anyio.sleep_forever()
        raise AssertionError

    async def ask() -> None:
        answer = await SpoolFile(spool, JOB, "result-1.json", "application/json", "a.json").answer(Request(scope))
        await answer(scope, receive, send)

    anyio.run(ask)
    shown = {name.decode(): value.decode() for name, value in found[0]["headers"]}
    return found[0]["status"], shown, b"".join(message.get("body", b"") for message in found)


def test_a_whole_file(spool: CountingSpool) -> None:
    status, headers, content = sent(spool)
    assert (status, headers["content-length"], content) == (200, str(len(BYTES)), BYTES)


def test_a_part(spool: CountingSpool) -> None:
    status, headers, content = sent(spool, Range="bytes=300000-700000")
    assert (status, headers["content-range"]) == (206, f"bytes 300000-700000/{len(BYTES)}")
    assert content == BYTES[300_000:700_001]


def test_a_part_that_is_not_there(spool: CountingSpool) -> None:
    with pytest.raises(ApiError, match="ask for some of them"):
        sent(spool, Range="bytes=9999999-")


def test_nothing_for_a_client_that_has_it(spool: CountingSpool) -> None:
    content = Spool.content(spool, JOB, "result-1.json")
    content.close()
    assert sent(spool, If_None_Match=f'"result-1.json-{len(BYTES):x}-{content.version}"')[::2] == (304, b"")


def test_an_answer_that_nobody_reads_closes_the_file(spool: CountingSpool) -> None:
    async def ask() -> None:
        request = Request({"type": "http", "headers": []})
        answer = await SpoolFile(spool, JOB, "result-1.json", "application/json", "a.json").answer(request)

        async def gone(_: Message | None = None) -> Message:
            raise OSError("the client is gone")

        with suppress(Exception):
            await answer(request.scope, gone, gone)

    anyio.run(ask)
