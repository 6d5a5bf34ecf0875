"""A private stack for measurements: Redis with its append-only file, a documents worker, a page worker, beat."""

import json
import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager

from ocrqueue import names
from tests.support.harness import Stack, eventually, running

RECONCILE_SECONDS = 20  # the default


@contextmanager
def private_stack(**env: str) -> Iterator[Stack]:
    """A stack with Redis only and without page cache, in a temporary folder. `env`: environment variables."""
    with running(Stack, **env) as stack:
        stack.client().spool.prepare()
        yield stack


def start_workers(stack: Stack, engines: str = "rapidocr", children: int = 2) -> None:
    """Start all processes of a stack except Flower, and wait until each child has loaded its model."""
    stack.start_documents()
    reader = stack.start_worker(engines=engines, children=children)
    stack.start_beat(RECONCILE_SECONDS)
    eventually(lambda: _loads(stack, reader.id) >= children, 120, 0.2)


def _loads(stack: Stack, worker: str) -> int:
    """The number of models that the children of a worker have loaded."""
    rows = [stack.redis.get(key) for key in stack.redis.scan_iter(f"{names.PREFIX}child:{worker}:*")]
    return sum(json.loads(str(row))["loads"] for row in rows if row)


def machine() -> str:
    """A description of this machine, for the line below a table."""
    return f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
