"""A lock between processes: shared or exclusive, and released when the process that holds it ends."""

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


def test_several_processes_share_the_lock(holders) -> None:
    first, second = holders("shared"), holders("shared")
    assert first.has_it(SOON)
    assert second.has_it(SOON)


def test_an_exclusive_holder_waits_for_shared_holders(holders) -> None:
    first, second = holders("shared"), holders("shared")
    assert first.has_it(SOON)
    assert second.has_it(SOON)
    exclusive = holders("exclusive")
    first.let_go()
    assert not exclusive.has_it(NEVER)
    second.let_go()
    assert exclusive.has_it(SOON)


@pytest.mark.parametrize("how", ["shared", "exclusive"])
def test_other_holders_wait_for_an_exclusive_holder(holders, how: str) -> None:
    exclusive = holders("exclusive")
    assert exclusive.has_it(SOON)
    other = holders(how)
    assert not other.has_it(NEVER)
    exclusive.let_go()
    assert other.has_it(SOON)


def test_a_later_shared_holder_waits_for_a_waiting_exclusive_holder(holders) -> None:
    first = holders("shared")
    assert first.has_it(SOON)
    exclusive = holders("exclusive")
    time.sleep(NEVER)  # until the exclusive holder waits
    late = holders("shared")
    assert not late.has_it(NEVER)
    first.let_go()
    assert exclusive.has_it(SOON)
    exclusive.let_go()
    assert late.has_it(SOON)


@pytest.mark.parametrize("how", ["shared", "exclusive"])
def test_the_lock_is_free_when_its_holder_is_killed(holders, how: str) -> None:
    holder = holders(how)
    assert holder.has_it(SOON)
    holder.kill()
    assert holders("exclusive").has_it(SOON)


def test_locks_with_other_names_are_independent(holders) -> None:
    assert holders("exclusive").has_it(SOON)
    assert holders("exclusive", "two").has_it(SOON)


def test_a_process_can_hold_the_lock_again(tmp_path: Path) -> None:
    lock = ReadWriteLock(tmp_path / "a.lock", "one")
    for how in (lock.shared, lock.exclusive, lock.shared):
        with how():
            pass
