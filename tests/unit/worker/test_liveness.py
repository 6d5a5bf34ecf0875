"""When a worker shows a sign of life: with a clock of its own, and a file."""

import logging
import os
from pathlib import Path

import pytest

from worker.parent.liveness import GAP, INTERVAL, SILENCE, Liveness, State


class World:
    """A worker's sign of life, and the time."""

    def __init__(self, path: Path) -> None:
        self.now = 1000.0
        self.path = path
        self.sign = Liveness(path, lambda: self.now)

    def passes(self, seconds: float, *, hears: bool = True, answers: bool = True, children: bool = True) -> None:
        """Time passes, in which the consumer hears, Redis answers the keeper, and there are children; or not."""
        for _ in range(round(seconds)):
            self.now += 1
            if hears:
                self.sign.heard()
            if answers:
                self.sign.answered()
            self.sign.tick(children)

    def is_touched(self, **how: bool) -> bool:
        """Whether the file is touched in the next seconds."""
        os.utime(self.path, (1, 1))
        self.passes(INTERVAL + 1, **how)
        return self.path.stat().st_mtime > 1


@pytest.fixture
def world(tmp_path: Path) -> World:
    found = World(tmp_path / "alive" / "pages@host")
    found.passes(5)
    return found


def test_a_worker_says_what_it_does(world: World) -> None:
    assert world.path.read_text() == "starting\n"
    assert world.path.parent.stat().st_mode & 0o777 == 0o700
    world.sign.enter(State.ANNOUNCED)
    world.passes(1)
    assert world.path.read_text() == "announced\n"
    world.sign.enter(State.ENDING)
    world.sign.enter(State.ANNOUNCED)  # the keeper was about to say so
    world.passes(1)
    assert world.path.read_text() == "ending\n"
    world.sign.end()
    world.passes(100)
    assert not world.path.exists()


def test_a_deaf_consumer_is_dead_and_lives_again_once_it_hears(world: World, caplog: pytest.LogCaptureFixture) -> None:
    world.passes(SILENCE - INTERVAL - 5, hears=False)
    assert world.is_touched(hears=False)
    world.passes(SILENCE, hears=False)
    with caplog.at_level(logging.CRITICAL):
        assert not world.is_touched(hears=False)
    world.passes(60, hears=False)
    assert world.is_touched(hears=True)
    assert len([r for r in caplog.records if "takes no messages although Redis answers" in r.message]) == 1


def test_a_pool_without_processes_is_dead(world: World) -> None:
    world.passes(2 * SILENCE, children=False)
    assert not world.is_touched(children=False)
    assert world.is_touched()


def test_a_worker_lives_while_redis_is_away_and_for_a_while_after(world: World) -> None:
    """The consumer connects again later than the keeper does."""
    world.passes(10 * SILENCE, hears=False, answers=False, children=False)
    assert world.is_touched(hears=False, answers=False, children=False)
    world.passes(SILENCE - INTERVAL - 5, hears=False, children=False)
    assert world.is_touched(hears=False)
    world.passes(10, hears=False)
    assert not world.is_touched(hears=False)


def test_short_answers_between_outages_do_not_count(world: World) -> None:
    for _ in range(10):
        world.passes(SILENCE - 10, hears=False)
        world.passes(GAP + 2, hears=False, answers=False)
    assert world.is_touched(hears=False, answers=False)


def test_a_worker_that_ends_lives_although_its_consumer_has_stopped(world: World) -> None:
    world.sign.enter(State.ENDING)
    world.passes(1000, hears=False)
    assert world.is_touched(hears=False)


def test_a_file_that_was_removed_comes_back(world: World) -> None:
    world.path.unlink()
    world.passes(INTERVAL + 1)
    assert world.path.read_text() == "starting\n"


def test_a_file_that_cannot_be_written_ends_nothing(world: World, caplog: pytest.LogCaptureFixture) -> None:
    world.path.unlink()
    world.path.parent.rmdir()
    world.path.parent.write_text("")
    world.passes(10 * INTERVAL)
    assert caplog.text.count("cannot be written") == 1
