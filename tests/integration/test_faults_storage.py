"""A spool on a full or missing disk: pages that were read stay, and the worker goes on when there is space."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.support import numbered
from tests.support.faults import Supervised, eventually, supervised
from tests.support.thorough import thorough_but

SLOW = "slow=tests.support.engines:Slow"
SIZE = 1 << 20


class Disk:
    """A disk of 1 MB for the spool. If the test may not mount one, a file makes writes fail as on a full disk."""

    def __init__(self, spool: Path, sign: Path) -> None:
        self._spool, self._sign = spool, sign
        spool.mkdir(mode=0o700)
        mount = ["mount", "-t", "tmpfs", "-o", f"size={SIZE},mode=700", "tmpfs", str(spool)]
        self.mounted = subprocess.run(mount, capture_output=True).returncode == 0

    def fill(self) -> None:
        """Fill the disk."""
        if not self.mounted:
            self._sign.touch()
            return
        with (self._spool / "filler").open("wb", buffering=0) as filler, suppress(OSError):
            while True:
                filler.write(b"x" * 4096)
        assert os.statvfs(self._spool).f_bavail == 0

    def free(self) -> None:
        """Free the disk."""
        (self._spool / "filler" if self.mounted else self._sign).unlink()

    def close(self) -> None:
        """Unmount the disk."""
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
    status = job.wait(timeout=90)  # there is no space for the result either
    assert (status.state, status.code) == ("failed", "storage_error")
    assert status.ok + status.failed == 6
    assert status.ok >= read
    assert {p.code for p in job.failed_pages()} == {"storage_error"}
    folder = stack.folder / "data" / "spool" / "jobs" / job.id
    # A temporary file can exist for a moment, because the reconciler tries to write end.json every second.
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


@pytest.mark.thorough
def test_a_document_that_is_removed_while_it_is_read(stack: Supervised) -> None:
    job = stack.client().submit(numbered.document(8, salt=1), engine="slow")
    eventually(lambda: job.status().ok >= 2)
    (source,) = (stack.folder / "data" / "spool" / "jobs" / job.id).glob("source-*")
    source.unlink()
    status = job.wait(timeout=30)
    assert status.state == "partial"
    assert status.ok + status.failed == 8
    assert {p.code for p in job.failed_pages()} == {"storage_error"}


@pytest.mark.parametrize(
    ("variable", "folder"),
    thorough_but(1, [("OCR_SPOOL_URL", "/proc/no/spool"), ("OCR_DATA_DIR", "/proc/no/data")]),
)
def test_a_worker_that_misses_a_folder_names_it(stack: Supervised, variable: str, folder: str) -> None:
    spool = {"OCR_SPOOL_URL": str(stack.folder / "data" / "spool")}
    process = stack.spawn(variable, stack._celery("worker", "-n", "lost@test"), **{**spool, variable: folder})
    stack.unwatched(variable)
    assert process.wait(60) != 0
    (line,) = [line for line in stack.text(variable).splitlines() if line.startswith("ocr:")]
    assert folder in line
    assert "Traceback" not in stack.text(variable)
