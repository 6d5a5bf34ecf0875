"""The places of uploads are shared between callers, and the slowest lose theirs first."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from ocrqueue.web.intake import places
from ocrqueue.web.intake.places import Place, Places
from ocrqueue.web.problems import ApiError

MOST = 4
SECONDS = 60.0


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(places, "_GRACE", 0.05)
    monkeypatch.setattr(places, "_LONG", 0.05)
    monkeypatch.setattr(places, "PATIENCE", 0.3)


class Uploads:
    """Uploads that hold their places until they lose them, or the test ends."""

    def __init__(self) -> None:
        self.places = Places(MOST)
        self.held: dict[str, Place] = {}
        self.lost: list[str] = []
        self.tasks: list[asyncio.Task[None]] = []

    async def begin(self, name: str, bytes: int) -> bool:
        """Begin an upload of the caller of this name without its number; False if there is no place for it."""
        known = asyncio.Event()
        self.tasks.append(asyncio.create_task(self._hold(name, bytes, known)))
        await known.wait()
        return name in self.held

    async def _hold(self, name: str, bytes: int, known: asyncio.Event) -> None:
        try:
            async with self.places.place(name.rstrip("0123456789")) as place:
                self.held[name] = place
                known.set()
                place.add(bytes)
                async with place.waiting(SECONDS):
                    await asyncio.sleep(SECONDS)
        except ApiError as e:
            if e.code != "busy":
                raise
            if self.held.pop(name, None):
                self.lost.append(name)
        finally:
            known.set()

    @property
    def counts(self) -> Counter[str]:
        return Counter(name.rstrip("0123456789") for name in self.held)


@asynccontextmanager
async def uploads() -> AsyncIterator[Uploads]:
    found = Uploads()
    try:
        yield found
    finally:
        for task in found.tasks:
            task.cancel()


def run(test: Callable[[Uploads], Awaitable[None]]) -> None:
    async def main() -> None:
        async with uploads() as found:
            await test(found)

    asyncio.run(main())


FAST = 1 << 40  # bytes


def test_each_caller_gets_its_share_however_many_uploads_another_has() -> None:
    async def test(all: Uploads) -> None:
        for number in range(MOST):
            assert await all.begin(f"greedy{number}", FAST + number)
        await asyncio.sleep(0.1)
        assert await all.begin("modest1", FAST)
        assert all.lost == ["greedy0"], "the slowest"
        assert await all.begin("modest2", FAST)
        assert all.counts == {"greedy": 2, "modest": 2}
        await asyncio.sleep(0.1)
        assert not await all.begin("modest3", FAST), "it has as many as the other"
        assert await all.begin("third1", FAST)

    run(test)


def test_slow_uploads_lose_their_places_also_to_those_of_the_same_caller() -> None:
    async def test(all: Uploads) -> None:
        for number in range(MOST):
            assert await all.begin(f"same{number}", 0 if number == 2 else FAST)
        await asyncio.sleep(0.1)
        assert await all.begin("same9", FAST)
        await asyncio.sleep(0.1)
        assert all.lost == ["same2"]
        assert not await all.begin("same10", FAST), "no other is slow"
        assert all.lost == ["same2"]

    run(test)


def test_one_slow_upload_of_a_caller_is_not_ended_for_another_that_has_many() -> None:
    async def test(all: Uploads) -> None:
        assert await all.begin("slow1", 0)
        for number in range(MOST - 1):
            assert await all.begin(f"many{number}", FAST)
        await asyncio.sleep(0.1)
        assert not await all.begin("many9", FAST)
        assert all.lost == []

    run(test)


def test_a_place_that_gets_free_goes_to_the_caller_that_has_the_fewest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(places, "_GRACE", SECONDS)  # nobody takes a place from another

    async def test(all: Uploads) -> None:
        for number in range(MOST):
            assert await all.begin(f"a{number}", FAST)
        waiting = [asyncio.create_task(all.begin(name, FAST)) for name in ("a8", "b1")]
        await asyncio.sleep(0.02)
        all.tasks[0].cancel()
        assert await waiting[1]
        assert not waiting[0].done()
        waiting[0].cancel()

    run(test)


def test_who_leaves_while_waiting_takes_no_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(places, "_GRACE", SECONDS)

    async def test(all: Uploads) -> None:
        for number in range(MOST):
            assert await all.begin(f"a{number}", FAST)
        leaving = asyncio.create_task(all.begin("b1", FAST))
        await asyncio.sleep(0.02)
        all.tasks[-1].cancel()
        await asyncio.sleep(0.02)
        all.tasks[0].cancel()
        assert not await leaving
        assert await all.begin("c1", FAST)
        assert all.lost == []

    run(test)
