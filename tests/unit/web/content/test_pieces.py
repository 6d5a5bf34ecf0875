"""Large answers: their parts are put together as JSON, and an early error is raised before anything is sent."""

import json
import time
from collections.abc import Iterator

import anyio
import pytest
from fastapi.responses import StreamingResponse

from ocrqueue.web.content.pieces import Later, LaterItems, list_of, parts_of, streamed, text_of
from ocrqueue.web.problems import ApiError


async def sent(parts: Iterator[str]) -> list[bytes]:
    """The pieces of an answer."""
    answer = await streamed(anyio.CapacityLimiter(1), parts)
    if not isinstance(answer, StreamingResponse):
        return [bytes(answer.body)]
    return [bytes(piece) async for piece in answer.body_iterator]  # type: ignore[arg-type]


@pytest.mark.parametrize("count", [0, 1, 50_000])
def test_an_answer_is_sent_in_short_pieces(count: int) -> None:
    pieces = anyio.run(sent, list_of({"text": "ä", "number": number} for number in range(count)))
    assert [item["number"] for item in json.loads(b"".join(pieces))] == list(range(count))
    assert max(map(len, pieces)) < 1 << 17
    assert len(pieces) > count // 10_000


def test_an_error_that_comes_early_is_raised_before_anything_is_sent() -> None:
    def failing() -> Iterator[str]:
        yield "{"
        yield ""
        raise ApiError("not_found", "nothing there")

    with pytest.raises(ApiError, match="nothing there"):
        anyio.run(sent, failing())


def test_long_answers_take_turns_in_few_threads() -> None:
    """Forty of them would take all threads from other requests, and the first the few threads from the others."""
    order: list[str] = []

    def parts(name: str) -> Iterator[str]:
        for _ in range(3):
            order.append(name)
            time.sleep(0.06)  # longer than one turn
            yield ""

    async def both() -> None:
        makers = anyio.CapacityLimiter(1)
        async with anyio.create_task_group() as group:
            for name in "ab":
                group.start_soon(streamed, makers, parts(name))

    anyio.run(both)
    assert "".join(sorted(order[:2])) == "ab"
    assert order == order[:2] * 3


def test_texts_lists_and_objects_come_in_parts() -> None:
    assert json.loads("".join(text_of(['a"', "\\\n", "ü"]))) == 'a"\\\nü'
    page = {"lines": [{"text": "a"}] * 5000, "number": 1.5}
    assert json.loads("".join(parts_of(page, 5000))) == json.loads("".join(parts_of(page, 1))) == page
    later, items, names = Later(), LaterItems(), LaterItems()
    for number in range(100_000):  # more than stays in memory
        later.write(f"ä{number}\r\n")
        items.add({"n": number})
    assert "".join(later.parts()).split("\r\n")[99_999] == "ä99999"
    assert json.loads("[" + "".join(items.parts()) + "]")[99_999] == {"n": 99_999}
    names.add([], "a")
    names.add(None, "b")
    assert json.loads("{" + "".join(names.parts()) + "}") == {"a": [], "b": None}
