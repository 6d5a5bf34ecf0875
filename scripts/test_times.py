"""CPU and wall seconds of the tests, by kind and by file: prints the tables of tests/TIMES.md. Only on Linux.

    .venv/bin/python -m scripts.test_times -m "not thorough"      # the arguments are those of pytest

CPU seconds are those of pytest and of every process that a test starts, also of those whose parent was killed: this
program adopts and reaps them. They say more than wall seconds, which depend on what else the machine does.
build/test_times.jsonl gets those of each test.
"""

import ctypes
import json
import os
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

KINDS = ("unit", "integration", "acceptance")
LOG = Path("build", "test_times.jsonl")
TOP = 30  # files in the table
_ADOPT = 36  # PR_SET_CHILD_SUBREAPER of prctl(2)


@dataclass
class Times:
    """Sums of some tests: CPU and wall in seconds."""

    tests: int = 0
    cpu: float = 0
    wall: float = 0

    def add(self, other: "Times") -> None:
        """Add the sums of other tests."""
        self.tests += other.tests
        self.cpu += other.cpu
        self.wall += other.wall

    def cells(self) -> str:
        """The cells of a row."""
        return f"{self.tests} | {self.cpu:.1f} | {self.wall:.1f}"


class Plugin:
    """Writes a line for each test: its node id, CPU and wall seconds. Fixtures count where they begin and end."""

    def __init__(self) -> None:
        self.log = LOG.open("w")
        self.adopter = psutil.Process(os.getppid())

    def spent(self) -> float:
        """CPU seconds of this process and of all its descendants that have ended."""
        adopted = self.adopter.cpu_times()
        return sum(os.times()[:4]) + adopted.children_user + adopted.children_system

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        """Measure one test."""
        cpu, wall = self.spent(), time.monotonic()
        try:
            return (yield)
        finally:
            line = [item.nodeid, round(self.spent() - cpu, 3), round(time.monotonic() - wall, 3)]
            print(json.dumps(line), file=self.log, flush=True)


def _measured(arguments: list[str]) -> tuple[list[tuple[str, Times]], float]:
    """Each test's node id with its times, and the CPU seconds of everything, in a pytest that this process starts."""
    if ctypes.CDLL(None, use_errno=True).prctl(_ADOPT, 1) != 0:
        raise OSError(ctypes.get_errno(), "this process cannot adopt orphans")
    LOG.parent.mkdir(exist_ok=True)
    command = [sys.executable, "-m", "scripts.test_times", "--plugin", *arguments]
    env = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}  # as in the Makefile
    tests = subprocess.Popen(command, stdout=sys.stderr, env=env)
    _reap(tests.pid)
    whole = sum(os.times()[2:4])
    rows = [json.loads(line) for line in LOG.read_text().splitlines()]
    return [(name, Times(1, cpu, wall)) for name, cpu, wall in rows], whole


def _reap(pid: int) -> None:
    """Wait until this child and all adopted processes have ended."""
    while True:
        try:
            ended, _ = os.wait()
        except ChildProcessError:
            return
        if ended == pid:
            for orphan in psutil.Process().children(recursive=True):
                print(f"left running: {orphan.name()} {orphan.pid}", file=sys.stderr)
                orphan.kill()


def table(rows: list[tuple[str, Times]], whole: float) -> Iterator[str]:
    """The lines of the tables: by kind, then the files that cost most."""
    kinds: dict[str, Times] = {kind: Times() for kind in KINDS}
    files: dict[str, Times] = defaultdict(Times)
    for name, times in rows:
        path = name.partition("::")[0]
        kinds[path.split("/")[1]].add(times)
        files[path].add(times)
    total = Times()
    yield from ("| Kind | Tests | CPU s | Wall s |", "|---|---:|---:|---:|")
    for kind, times in kinds.items():
        total.add(times)
        yield f"| {kind} | {times.cells()} |"
    yield f"| start of pytest, collection | | {max(0, whole - total.cpu):.1f} | |"
    yield f"| all | {total.cells()} |"
    yield from ("", "| File | Tests | CPU s | Wall s |", "|---|---:|---:|---:|")
    first = sorted(files, key=lambda path: -files[path].cpu)[:TOP]
    for path in first:
        yield f"| {path.removeprefix('tests/')} | {files[path].cells()} |"
        files.pop(path)
    rest = Times()
    for times in files.values():
        rest.add(times)
    yield f"| {len(files)} others | {rest.cells()} |"


def main(arguments: list[str]) -> int:
    """Measure, and print the tables. With `--plugin`, run pytest and write `LOG`."""
    if arguments[:1] == ["--plugin"]:
        return int(pytest.main(arguments[1:], plugins=[Plugin()]))
    rows, whole = _measured(arguments)
    print("\n".join(table(rows, whole)))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
