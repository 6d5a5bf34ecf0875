"""A private stack to measure: Redis with its append-only file, a worker for documents, one that reads, beat."""

import json
import platform
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ocrqueue import names
from tests.harness import Stack, eventually

RECONCILE_SECONDS = 20  # as by default


@contextmanager
def private_stack() -> Iterator[Stack]:
    """A stack with Redis alone, in a folder that is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="ocr-bench-") as folder:
        stack = Stack(Path(folder))
        try:
            stack.start_redis()
            stack.client().spool.prepare()
            yield stack
        finally:
            stack.close()


def start_workers(stack: Stack, engines: str = "rapidocr", children: int = 2) -> None:
    """Everything that a running stack has but Flower; returns when each child has its model in memory."""
    stack.start_documents()
    reader = stack.start_worker(engines=engines, children=children)
    stack.start_beat(RECONCILE_SECONDS)
    eventually(lambda: _loads(stack, reader.id) >= children, 120, 0.2)


def _loads(stack: Stack, worker: str) -> int:
    """Models loaded by the worker's children."""
    rows = [stack.redis.get(key) for key in stack.redis.scan_iter(f"{names.PREFIX}child:{worker}:*")]
    return sum(json.loads(str(row))["loads"] for row in rows if row)


def machine(cores: int | None) -> str:
    """Where a number was measured, for the line below a table."""
    return f"{platform.system()} {platform.machine()}, {cores} cores, Python {platform.python_version()}"
