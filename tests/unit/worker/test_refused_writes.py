"""The log filter for a Redis that refuses writes."""

import logging
import pickle

import pytest
from kombu.exceptions import OperationalError
from redis.exceptions import OutOfMemoryError

from ocrqueue.errors import QueueUnavailable
from ocrqueue.ledger.connection import WritesRefused
from worker.refused_writes import REFUSALS, REPLICA, RefusedWritesFilter


def caused(error: Exception, cause: Exception) -> Exception:
    error.__cause__ = cause
    return error


def passed(log_filter: RefusedWritesFilter, message: str, *args: object, error: Exception | None = None) -> str | None:
    """The line that the log gets of a record; None if it gets none."""
    info = (type(error), error, None) if error else None
    record = logging.LogRecord("worker.steps", logging.INFO, "", 1, message, args, info)
    return record.getMessage() if log_filter.filter(record) else None


@pytest.mark.parametrize("word", ["READONLY", "OutOfMemoryError", "MISCONF", "NOREPLICAS", "MASTERDOWN"])
def test_words_that_a_user_wrote_are_no_refusal(word: str) -> None:
    log_filter = RefusedWritesFilter()
    text = f"this worker may not read 'https://host/{word}/scan.pdf'"
    assert passed(log_filter, "job=%s refused: %s", "1", text) == f"job=1 refused: {text}"
    assert passed(log_filter, "%s", ValueError(text), error=ValueError(text)) == text
    assert passed(log_filter, "%s", WritesRefused("READONLY")) == REPLICA  # and the next true one is not hidden


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (OutOfMemoryError("command not allowed"), REFUSALS["OOM"]),
        (WritesRefused("NOREPLICAS"), REFUSALS["NOREPLICAS"]),
        (pickle.loads(pickle.dumps(WritesRefused("MISCONF"))), REFUSALS["MISCONF"]),
        (caused(OperationalError("x"), WritesRefused("MASTERDOWN")), REPLICA),
        (caused(QueueUnavailable("x"), WritesRefused("UNBLOCKED")), REPLICA),
    ],
)
def test_a_refusal_is_known_by_its_error_wherever_the_record_has_it(error: Exception, line: str) -> None:
    assert passed(RefusedWritesFilter(), "consumer: Connection to broker lost (%r)", error) == line
    assert passed(RefusedWritesFilter(), "Task raised unexpected", error=error) == line
    log_filter = RefusedWritesFilter()
    assert passed(log_filter, "%(exc)s", {"exc": error}) == line
    assert passed(log_filter, "%s", error) is None
