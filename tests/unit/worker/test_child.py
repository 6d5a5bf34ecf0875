"""What a child tells its parent: an error fits into one write to a pipe; and how long it waits to be heard."""

import os
from types import SimpleNamespace
from typing import Any

import pytest
from billiard import pool
from billiard.reduction import ForkingPickler
from celery import Celery
from celery.app.trace import build_tracer
from celery.exceptions import Ignore
from kombu.exceptions import OperationalError

from worker import child

ONE_WRITE = 16384  # bytes that billiard writes at once, together with their length
app = Celery(broker="redis://127.0.0.1:1/0", set_as_current=False)


@app.task(shared=False)
def unreachable() -> None:
    """Fails inside kombu, because Redis is not reachable."""
    app.send_task("anything", retry=False)


@app.task(shared=False)
def endless(depth: int = 0) -> None:
    """Fails with a long traceback, and with a cause that has a long traceback, too."""
    if depth < 100:
        try:
            endless.run(depth + 1)
        except ValueError as e:
            raise ValueError(f"at {depth}") from e
    raise ValueError("at the end")


@app.task(shared=False)
def ignored() -> None:
    """A task that Celery ignores."""
    raise Ignore("why")


@pytest.mark.parametrize(
    ("task", "kind", "says"),
    [(unreachable, OperationalError, "Connection refused"), (endless, ValueError, "at 0"), (ignored, Ignore, "why")],
)
def test_an_error_fits_into_one_write(task: Any, kind: type[Exception], says: str) -> None:
    assert child.TRACEBACK < ONE_WRITE / 2
    result = build_tracer(task.name, task, app=app, eager=True)("id", (), {}, {}).retval
    # A copy: Python 3.13 reports a view that dies in a cycle with its buffer, such as in a traceback's frame.
    sent = bytes(ForkingPickler.dumps((2, ("id", os.getpid(), (False, (1, result, 1.0)), 3))))
    assert len(sent) < ONE_WRITE
    got = ForkingPickler.loads(sent)[1][2][1][1]
    assert isinstance(got.exception, kind)
    assert says in str(got.exception)
    assert says in got.traceback


def test_a_child_that_ends_does_not_wait_half_a_minute_for_its_parent(monkeypatch: pytest.MonkeyPatch) -> None:
    """Billiard's child waits until the parent has counted its tasks; after SIGTERM one may never be counted."""
    slept: list[float] = []
    monkeypatch.setattr(pool, "time", SimpleNamespace(sleep=slept.append))
    ending = SimpleNamespace(on_ready_counter=SimpleNamespace(value=3))
    assert pool.Worker._ensure_messages_consumed(ending, completed=3)
    assert not pool.Worker._ensure_messages_consumed(ending, completed=4)
    assert 1 < sum(slept) < 3
