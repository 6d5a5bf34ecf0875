"""The stack that a user starts."""

from collections.abc import Iterator

import pytest

from tests.support.harness import Stack, running


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    """Redis, both workers, and beat, with the default engine."""
    with running(OCR_PAGE_SECONDS="60") as stack:
        stack.program = ("celery", "-A", "tasks.app")  # the interface, beside the command of the Procfile
        stack.start_documents()
        stack.start_worker(engines="rapidocr", children=2)
        stack.start_beat()
        yield stack
