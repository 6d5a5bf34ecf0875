"""The Celery application of a worker that does not clear MLX's cache, so that a test can see the difference."""

import gc

from worker import child
from worker.app import app

child.give_back = lambda: gc.collect() and None  # type: ignore[assignment]

__all__ = ["app"]
