"""A spool on a disk that is full, or not there: what was read stays, and the worker goes on when there is room."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.support import numbered
from tests.support.faults import Supervised, eventually, supervised

SLOW = "slow=tests.support.engines:Slow"
SIZE = 1 << 20


class Disk:
    """The spool's own disk of 1 MB; where no file system may be mounted, a file tells the workers that it is full."""

    def __init__(self, spool: Path, sign: Path) -> None:
        self._spool, self._sign = spool, sign
        spool.mkdir(mode=0o700)
        mount = ["mount", "-t", "tmpfs", "-o", f"size={SIZE},mode=700", "tmpfs", str(spool)]
        self.mounted = subprocess.run(mount, capture_output=True).returncode == 0

    def fill(self) -> None:
        """Not a byte is left."""
        if not self.mounted:
            self._sign.touch()
            return
        with (self._spool / "filler").open("wb", buffering=0) as filler, suppress(OSError):
            while True:
                filler.write(b"x" * 4096)
        assert os.statvfs(self._spool).f_bavail == 0

    def free(self) -> None:
        """There is room again."""
        (self._spool / "filler" if self.mounted else self._sign).unlink()

    def close(self) -> None:
        """Unmount it."""
        if self.mounted:
            subprocess.run(["umount", "-l", str(self._spool)], check=True)


@pytest.fixture(scope="module")
def stack() -> Iterator[Supervised]:
    with supervised() as stack:
        disk = Disk(stack.folder / "data" / "spool", stack.folder / "full")
        try:
            stack.disk = disk  # type: ignore[attr-defined]
            stack.start_documents(children=1)
            stack.start_worker(engines=SLOW, children=2)
            stack.start_beat()
            stack.supervise()
            yield stack
            stack.close()
        finally:
            disk.close()


def test_a_full_disk(stack: Supervised) -> None:
    disk: Disk = stack.disk  # type: ignore[attr-defined]
    client = stack.client()
    job = client.submit(numbered.document(6), engine="slow")
    eventually(lambda: job.status().ok >= 2)
    disk.fill()
    read = job.status().ok
    status = job.wait(timeout=90)  # its result finds no room either
    assert (status.state, status.code) == ("failed", "storage_error")
    assert status.ok + status.failed == 6
    assert status.ok >= read
    assert {p.code for p in job.failed_pages()} == {"storage_error"}
    folder = stack.folder / "data" / "spool" / "jobs" / job.id
    # Each second there may be one for a moment: the mark of the job's end is tried again until there is room for it.
    eventually(lambda: not list(folder.rglob(".tmp-*")))
    disk.free()
    job.retry()
    again = job.wait(timeout=60)
    assert (again.state, again.ok) == ("done", 6)
    assert [p["text"] for p in job.result()["pages"]] == [numbered.text(n) for n in range(1, 7)]
    log = stack.text("worker")
    assert log.count(f"job={job.id} page=1 read") == 1, "a finished page was read again"
    assert client.dead() == []
    assert not stack.restarts


def test_a_document_that_is_gone_while_it_is_read(stack: Supervised) -> None:
    job = stack.client().submit(numbered.document(8, salt=1), engine="slow")
    eventually(lambda: job.status().ok >= 2)
    (source,) = (stack.folder / "data" / "spool" / "jobs" / job.id).glob("source-*")
    source.unlink()
    status = job.wait(timeout=30)
    assert status.state == "partial"
    assert status.ok + status.failed == 8
    assert {p.code for p in job.failed_pages()} == {"storage_error"}


@pytest.mark.parametrize(
    ("variable", "folder"), [("OCR_SPOOL_URL", "/proc/no/spool"), ("OCR_DATA_DIR", "/proc/no/data")]
)
def test_a_folder_that_is_not_there_is_named(stack: Supervised, variable: str, folder: str) -> None:
    spool = {"OCR_SPOOL_URL": str(stack.folder / "data" / "spool")}
    process = stack.spawn(variable, stack._celery("worker", "-n", "lost@test"), **{**spool, variable: folder})
    stack.unwatched(variable)
    assert process.wait(60) != 0
    (line,) = [line for line in stack.text(variable).splitlines() if line.startswith("ocr:")]
    assert folder in line
    assert "Traceback" not in stack.text(variable)
