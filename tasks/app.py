"""`celery -A tasks.app worker`: the application's address on the command line."""

from worker.app import app

__all__ = ["app"]
