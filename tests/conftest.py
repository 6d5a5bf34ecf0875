"""What holds for every test: no setting of the developer's own, and the same examples each time."""

import os

from hypothesis import settings

import ocrqueue.settings  # noqa: F401 (reads .env into the environment, once, so that it can be taken out again)
from tests.support.mlx_rule import pytest_collection_modifyitems, pytest_report_header  # noqa: F401

for name in [n for n in os.environ if n.startswith("OCR_") or n == "REDIS_URL"]:
    del os.environ[name]

settings.register_profile("ocr-queue", derandomize=True, deadline=None, database=None)
settings.load_profile("ocr-queue")
