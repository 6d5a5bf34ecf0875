"""For every test: the developer's own settings are removed, and each run uses the same examples.

`make test-random` selects the profile `random`: new examples in each run, from a seed that it prints.
"""

import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

import ocrqueue.settings  # noqa: F401 (reads .env into the environment once, so that the loop below removes its settings too)
from ocrqueue.process.machine import usable_cores, usable_memory
from tests.support import needs
from tests.support.order import arrange

for name in [n for n in os.environ if n.startswith("OCR_") or n == "REDIS_URL"]:
    del os.environ[name]


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Leave out a test if what it needs is missing; in CI it fails."""
    for name in [name for mark in item.iter_markers("needs") for name in mark.args]:
        needs.require(name)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """At the end of a run: how many tests were left out, why, and what brings what they need."""
    skipped = terminalreporter.stats.get("skipped", [])
    reasons = Counter(str(report.longrepr[2]).removeprefix("Skipped: ") for report in skipped)
    if reasons:
        terminalreporter.section("left out")
    for reason, count in sorted(reasons.items()):
        terminalreporter.write_line(f"{count} tests: {reason}")


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
    """How many files `pytest -n auto` runs at a time: twice as many as cores, because tests of real processes wait half
    of their time; each needs up to 1.5 GB. More than eight gain nothing: the longest file takes as long anyway.
    """
    return max(1, min(2 * usable_cores(), usable_memory() // (3 << 29), 8))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mix the files, if several processes take them."""
    if hasattr(config, "workerinput"):
        arrange(items)


settings.register_profile("ocr-queue", derandomize=True, deadline=None, database=None)
settings.register_profile("random", deadline=None, database=None, print_blob=True)
settings.load_profile("ocr-queue")
