"""The message about a failed or ignored task, from a child to its worker's parent, fits into one write to a pipe."""

import os
from typing import Any

import pytest
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
    sent = ForkingPickler.dumps((2, ("id", os.getpid(), (False, (1, result, 1.0)), 3)))
    assert len(sent) < ONE_WRITE
    got = ForkingPickler.loads(bytes(sent))[1][2][1][1]
    assert isinstance(got.exception, kind)
    assert says in str(got.exception)
    assert says in got.traceback
