"""For every test: the developer's own settings are removed, and each run uses the same examples.

`make test-random` selects the profile `random`: new examples in each run, from a seed that it prints.
"""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

import ocrqueue.settings  # noqa: F401 (reads .env into the environment once, so that the loop below removes its settings too)
from tests.support import mlx_rule, s3_rule, tesseract_rule

_OPTIONAL = {
    "engine mlx-vlm": mlx_rule,
    "engine tesseract": tesseract_rule,
    "object storage": s3_rule,
}  # may be left out

for name in [n for n in os.environ if n.startswith("OCR_") or n == "REDIS_URL"]:
    del os.environ[name]


def pytest_report_header() -> list[str]:
    """A line above the test results for each part that is left out."""
    reasons = {name: reason for name, rule in _OPTIONAL.items() if (reason := rule.left_out())}
    return [f"tests of {name}: left out ({reason})" for name, reason in reasons.items()]


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect the tests of what is left out."""
    absent = [rule for rule in _OPTIONAL.values() if rule.left_out()]
    needing = [item for item in items if any(rule.needs(Path(item.path)) for rule in absent)]
    if needing:
        items[:] = [item for item in items if item not in needing]
        config.hook.pytest_deselected(items=needing)


MEMORY = Path("/dev/shm")  # of Linux; a path short enough for Unix sockets
if (
    "TMPDIR" not in os.environ
    and MEMORY.is_dir()
    and shutil.disk_usage(MEMORY).free > 4 << 30
    and not os.statvfs(MEMORY).f_flag & os.ST_NOEXEC  # MLX loads what it compiles; tests run programs that they write
):
    # Files of tests are many and small, and syncing them to a disk is a third of some tests. No test cuts the power.
    os.environ["TMPDIR"] = tempfile.tempdir = str(MEMORY)


@pytest.fixture(scope="module", autouse=True)
def _environment() -> Iterator[None]:
    """Undo what a module's tests change in the environment: loading a model switches the hub's client to offline."""
    before = dict(os.environ)
    yield
    for name in os.environ.keys() - before.keys() - {"PYTEST_CURRENT_TEST"}:
        del os.environ[name]
    os.environ.update({name: value for name, value in before.items() if name != "PYTEST_CURRENT_TEST"})


def pytest_xdist_auto_num_workers() -> int:
    """How many files `pytest -n auto` runs at a time: one more than cores, because tests of real processes wait a lot.

    More than eight would need too much memory, and the longest file takes as long anyway.
    """
    return min((os.cpu_count() or 1) + 1, 8)


settings.register_profile("ocr-queue", derandomize=True, deadline=None, database=None)
settings.register_profile("random", deadline=None, database=None, print_blob=True)
settings.load_profile("ocr-queue")
