"""A private stack to measure: Redis with its append-only file, a worker for documents, one that reads, beat."""

import json
import platform
from collections.abc import Iterator
from contextlib import contextmanager

from ocrqueue import names
from tests.support.harness import Stack, eventually, running

RECONCILE_SECONDS = 20  # as by default


@contextmanager
def private_stack(**env: str) -> Iterator[Stack]:
    """A stack with Redis alone and the page cache off, in a folder that is gone afterwards; `env` changes settings."""
    with running(Stack, **env) as stack:
        stack.client().spool.prepare()
        yield stack


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
