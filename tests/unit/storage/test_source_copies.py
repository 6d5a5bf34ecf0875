"""Copies of documents from object storage: one download per job, a limit in bytes, and no files left."""

import os
import signal
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import uuid4

import pytest

from ocrqueue.errors import StorageError
from ocrqueue.storage.source_copies import SourceCopies

PROJECT = Path(__file__).parents[3]
SIZE = 1000  # size of a document in bytes


class Documents:
    """Documents of SIZE bytes. `downloads`: the job of each download, in order."""

    def __init__(self) -> None:
        self.downloads: list[str] = []

    def download(self, job: str) -> Callable[[Path], None]:
        def download(target: Path) -> None:
            self.downloads.append(job)
            with target.open("wb") as file:
                for _ in range(10):
                    file.write(job[:1].encode() * (SIZE // 10))
                    time.sleep(0.005)

        return download


@pytest.fixture
def documents() -> Documents:
    return Documents()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "sources"


@pytest.fixture
def copies(folder: Path) -> Iterator[SourceCopies]:
    copies = SourceCopies(folder, 3 * SIZE)
    copies.start()
    yield copies
    copies.stop()


def kept(folder: Path) -> list[str]:
    """The names of the files in the folder, without locks."""
    return sorted(file.name for file in folder.iterdir() if file.suffix != ".lock" and file.name != ".workers")


def test_threads_that_use_a_document_at_the_same_time_download_it_once(
    copies: SourceCopies, documents: Documents, folder: Path
) -> None:
    def use(_: int) -> bytes:
        with copies.open("job", documents.download("job")) as path:
            return path.read_bytes()

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(use, range(32))) == {b"j" * SIZE}
    assert documents.downloads == ["job"]
    assert kept(folder) == ["job"]


def test_processes_that_use_a_document_at_the_same_time_download_it_once(folder: Path, tmp_path: Path) -> None:
    program = (
        "import sys, time\n"
        "from pathlib import Path\n"
        "from ocrqueue.storage.source_copies import SourceCopies\n"
        "def download(target):\n"
        "    Path(sys.argv[2]).open('a').write('.')\n"
        "    time.sleep(0.5)\n"
        "    target.write_bytes(b'x')\n"
        "with SourceCopies(Path(sys.argv[1]), 9).open('job', download) as path:\n"
        "    assert path.read_bytes() == b'x'\n"
    )
    log = tmp_path / "downloads"
    command = [sys.executable, "-c", program, str(folder), str(log)]
    processes = [subprocess.Popen(command, cwd=PROJECT) for _ in range(4)]
    assert [process.wait(60) for process in processes] == [0] * 4
    assert log.read_text() == "."


def test_other_users_cannot_read_the_copies(copies: SourceCopies, documents: Documents, folder: Path) -> None:
    old = os.umask(0)
    try:
        with copies.open("job", documents.download("job")):
            pass
    finally:
        os.umask(old)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()} == {0o600}


def test_the_copy_that_was_not_used_for_longest_is_removed_first(
    copies: SourceCopies, documents: Documents, folder: Path
) -> None:
    for age, job in enumerate(("c", "b", "a")):
        with copies.open(job, documents.download(job)) as path:
            pass
        os.utime(path, (1000 - age,) * 2)
    with copies.open("a", documents.download("a")):  # now the most recently used one
        pass
    for job in ("d", "e"):
        with copies.open(job, documents.download(job)):
            pass
    assert kept(folder) == ["a", "d", "e"]
    assert copies.jobs() == ["a", "d", "e"]
    with copies.open("b", documents.download("b")) as path:
        assert path.read_bytes() == b"b" * SIZE
    assert documents.downloads == ["c", "b", "a", "d", "e", "b"]


def test_a_copy_in_use_is_not_removed(copies: SourceCopies, documents: Documents, folder: Path) -> None:
    with copies.open("a", documents.download("a")) as path:
        os.utime(path, (1, 1))
        assert not copies.remove("a")
        for job in ("b", "c", "d"):
            with copies.open(job, documents.download(job)):
                pass
        assert path.read_bytes() == b"a" * SIZE
        assert kept(folder) == ["a", "c", "d"]
    assert copies.remove("a")
    assert kept(folder) == ["c", "d"]


def test_a_worker_that_starts_leaves_copies_in_use_to_the_children_of_a_killed_worker(
    documents: Documents, folder: Path
) -> None:
    orphan, started = SourceCopies(folder, 3 * SIZE), SourceCopies(folder, 3 * SIZE)

    def download(target: Path) -> None:
        documents.download("new")(target)
        started.start()

    with orphan.open("unused", documents.download("unused")):
        pass
    with orphan.open("old", documents.download("old")) as old, orphan.open("new", download) as new:
        assert (old.read_bytes(), new.read_bytes()) == (b"o" * SIZE, b"n" * SIZE)
        assert kept(folder) == ["new", "old"]
    started.stop()
    assert [file.name for file in folder.iterdir()] == [".workers"]


def test_a_download_that_fails_leaves_nothing_and_is_tried_again(
    copies: SourceCopies, documents: Documents, folder: Path
) -> None:
    def fail(target: Path) -> None:
        target.write_bytes(b"half")
        raise StorageError("the server is away")

    with pytest.raises(StorageError, match="away"), copies.open("job", fail):
        pass
    assert kept(folder) == []
    with copies.open("job", documents.download("job")) as path:
        assert path.stat().st_size == SIZE


def test_errors_of_the_block_and_of_a_missing_document_are_raised_unchanged(copies: SourceCopies) -> None:
    def missing(target: Path) -> None:
        raise FileNotFoundError(target)

    with pytest.raises(FileNotFoundError), copies.open("job", missing):
        pass
    with pytest.raises(OSError, match="of the block"), copies.open("job", Path.touch):
        raise OSError("of the block")


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "sources").write_text("in the way")
    with pytest.raises(StorageError, match="sources"):
        SourceCopies(tmp_path / "sources", 1).start()


def test_concurrent_downloads_and_removals_never_show_a_partial_document(folder: Path, documents: Documents) -> None:
    """The limit is one document, so each of the four jobs displaces the others."""
    small, wrong, end = SourceCopies(folder, SIZE), [], threading.Event()

    def use(job: str) -> None:
        while not end.is_set():
            with small.open(job, documents.download(job)) as path:
                if path.read_bytes() != job.encode() * SIZE:
                    wrong.append(job)
            small.remove("abcd"[len(documents.downloads) % 4])

    with ThreadPoolExecutor(8) as pool:
        used = [pool.submit(use, job) for job in "aabbccdd"]
        time.sleep(2)
        end.set()
        for one in used:
            one.result(30)
    assert wrong == []
    assert set(documents.downloads) == set("abcd")


# -- workers that start, stop and are killed ---------------------------------------------------------------------------
WORKER = (
    "import sys, time\n"
    "from pathlib import Path\n"
    "from ocrqueue.storage.source_copies import SourceCopies\n"
    "copies = SourceCopies(Path(sys.argv[1]), 10**6)\n"
    "copies.start()\n"
    "with copies.open(sys.argv[2], lambda target: target.write_bytes(b'x')):\n"
    "    print('ready', flush=True)\n"
    "    sys.stdin.read()\n"
    "copies.stop()\n"
)


def worker(folder: Path, job: str) -> "subprocess.Popen[str]":
    """Another worker, which holds the copy of a job until its input is closed."""
    process = subprocess.Popen(
        [sys.executable, "-c", WORKER, str(folder), job],
        cwd=PROJECT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout
    assert process.stdout.readline() == "ready\n"
    return process


def test_the_last_worker_that_stops_empties_the_folder(folder: Path) -> None:
    first, second = worker(folder, "a"), worker(folder, "b")
    assert kept(folder) == ["a", "b"]
    first.communicate("")
    assert kept(folder) == ["a", "b"]
    second.communicate("")
    assert os.listdir(folder) == [".workers"]  # noqa: PTH208


def test_files_of_killed_workers_are_removed_at_the_next_start(folder: Path) -> None:
    killed, other = worker(folder, "a"), worker(folder, "b")
    (folder / "c.part").write_bytes(b"half")
    for process in (killed, other):
        process.send_signal(signal.SIGKILL)
        process.communicate()
    assert kept(folder) == ["a", "b", "c.part"]
    next_worker = worker(folder, str(uuid4()))
    assert len(kept(folder)) == 1
    next_worker.communicate("")
    assert kept(folder) == []
