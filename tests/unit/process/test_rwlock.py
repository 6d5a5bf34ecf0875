"""A lock between processes: shared by many, or held by one alone, and free as soon as its holder is gone."""

import multiprocessing
import os
import signal
import time
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from ocrqueue.process.rwlock import ReadWriteLock

SOON, NEVER = 5.0, 0.3  # seconds
fork = multiprocessing.get_context("fork")


class Holder:
    """A process that takes the lock, reports it, and holds it until it is asked to release it."""

    def __init__(self, path: Path, how: str, name: str = "one") -> None:
        self.pipe, end = fork.Pipe()
        self.process = fork.Process(target=self._hold, args=(path, name, how, end))
        self.process.start()

    @staticmethod
    def _hold(path: Path, name: str, how: str, pipe: Connection) -> None:
        with getattr(ReadWriteLock(path, name), how)():
            pipe.send("held")
            pipe.recv()
        pipe.send("free")

    def has_it(self, seconds: float) -> bool:
        return self.pipe.poll(seconds) and self.pipe.recv() == "held"

    def let_go(self) -> None:
        self.pipe.send("let go")
        assert self.pipe.recv() == "free"

    def kill(self) -> None:
        os.kill(self.process.pid or 0, signal.SIGKILL)


@pytest.fixture
def holders(tmp_path: Path) -> Iterator["type[Holder]"]:
    made: list[Holder] = []

    def hold(*how: str) -> Holder:
        made.append(Holder(tmp_path / "locks" / "a.lock", *how))
        return made[-1]

    yield hold  # type: ignore[misc]
    for holder in made:
        holder.process.kill()
        holder.process.join()


def test_many_share_it(holders) -> None:
    first, second = holders("shared"), holders("shared")
    assert first.has_it(SOON)
    assert second.has_it(SOON)


def test_who_wants_it_alone_waits_for_those_who_share_it(holders) -> None:
    first, second = holders("shared"), holders("shared")
    assert first.has_it(SOON)
    assert second.has_it(SOON)
    alone = holders("exclusive")
    first.let_go()
    assert not alone.has_it(NEVER)
    second.let_go()
    assert alone.has_it(SOON)


@pytest.mark.parametrize("how", ["shared", "exclusive"])
def test_nobody_shares_it_with_an_exclusive_holder(holders, how: str) -> None:
    alone = holders("exclusive")
    assert alone.has_it(SOON)
    other = holders(how)
    assert not other.has_it(NEVER)
    alone.let_go()
    assert other.has_it(SOON)


def test_who_comes_later_does_not_overtake(holders) -> None:
    first = holders("shared")
    assert first.has_it(SOON)
    alone = holders("exclusive")
    time.sleep(NEVER)  # until it waits
    late = holders("shared")
    assert not late.has_it(NEVER)
    first.let_go()
    assert alone.has_it(SOON)
    alone.let_go()
    assert late.has_it(SOON)


@pytest.mark.parametrize("how", ["shared", "exclusive"])
def test_it_is_free_once_its_holder_is_dead(holders, how: str) -> None:
    holder = holders(how)
    assert holder.has_it(SOON)
    holder.kill()
    assert holders("exclusive").has_it(SOON)


def test_locks_of_other_names_do_not_matter(holders) -> None:
    assert holders("exclusive").has_it(SOON)
    assert holders("exclusive", "two").has_it(SOON)


def test_a_process_may_hold_it_again(tmp_path: Path) -> None:
    lock = ReadWriteLock(tmp_path / "a.lock", "one")
    for how in (lock.shared, lock.exclusive, lock.shared):
        with how():
            pass
