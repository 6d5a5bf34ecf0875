"""For every test: the developer's own settings are removed, and each run uses the same examples.

`make test-random` selects the profile `random`: new examples in each run, from a seed that it prints.
"""

import os
from collections.abc import Iterator

import pytest
from hypothesis import settings

import ocrqueue.settings  # noqa: F401 (reads .env into the environment once, so that the loop below removes its settings too)
from tests.support.mlx_rule import pytest_collection_modifyitems, pytest_report_header  # noqa: F401

for name in [n for n in os.environ if n.startswith("OCR_") or n == "REDIS_URL"]:
    del os.environ[name]


@pytest.fixture(scope="module", autouse=True)
def _environment() -> Iterator[None]:
    """Undo what a module's tests change in the environment: loading a model switches the hub's client to offline."""
    before = dict(os.environ)
    yield
    for name in os.environ.keys() - before.keys() - {"PYTEST_CURRENT_TEST"}:
        del os.environ[name]
    os.environ.update({name: value for name, value in before.items() if name != "PYTEST_CURRENT_TEST"})


settings.register_profile("ocr-queue", derandomize=True, deadline=None, database=None)
settings.register_profile("random", deadline=None, database=None, print_blob=True)
settings.load_profile("ocr-queue")
