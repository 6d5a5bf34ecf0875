"""`celery -A tests.support.counted_app worker`: the application, with object storage that logs downloads."""

from tasks.app import app
from tests.support import counted_storage  # noqa: F401 -- registers its protocol

__all__ = ["app"]
