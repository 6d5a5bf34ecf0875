"""The spool in a folder and in object storage: sources, JSON, pages, passwords, access rights and errors."""

import grp
import hashlib
import io
import os
import resource
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import pytest

from ocrqueue.errors import DocumentError, InvalidOptions, StorageError, UnknownJob
from ocrqueue.storage.base import is_full
from ocrqueue.storage.spool import END, JOB, Spool

JOB_ID = "0b8f3d1e-6a57-4a35-9d6e-2f9f5c1f7a10"


@pytest.fixture(params=["folder", "objects"])
def spool(request: pytest.FixtureRequest, tmp_path: Path) -> Spool:
    url = str(tmp_path / "spool") if request.param == "folder" else f"memory://{uuid4()}/spool"
    made = Spool(url)
    made.prepare()
    made.write_json(JOB_ID, JOB, {"v": 1})
    return made


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "spool"


@pytest.fixture
def local(folder: Path) -> Spool:
    made = Spool(str(folder))
    made.prepare()
    return made


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """In this block, writes beyond `size` bytes of a file fail like writes on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def every_file(folder: Path) -> list[str]:
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())


def test_a_source_is_stored_under_its_hash(spool: Spool) -> None:
    content = os.urandom(3_000_000)
    stored = spool.put_source(JOB_ID, io.BytesIO(content), limit=3_000_000)
    digest = hashlib.sha256(content).hexdigest()
    assert (stored.file, stored.sha256, stored.bytes) == (f"source-{digest}", digest, 3_000_000)
    with spool.local_source(JOB_ID, stored.file) as path:
        assert path.read_bytes() == content


def test_a_copy_of_a_source_is_removed_afterwards_and_a_local_source_is_the_file_itself(spool: Spool) -> None:
    stored = spool.put_source(JOB_ID, io.BytesIO(b"x"), limit=1)
    with spool.local_source(JOB_ID, stored.file) as path:
        assert path.exists()
    assert path.exists() == spool.is_local


@pytest.mark.parametrize(("content", "code"), [(b"", "empty_file"), (b"12345", "too_large")])
def test_a_refused_source_leaves_no_file(spool: Spool, content: bytes, code: str) -> None:
    other = str(uuid4())
    with pytest.raises(DocumentError) as caught:
        spool.put_source(other, io.BytesIO(content), limit=4)
    assert caught.value.code == code
    assert list(spool.jobs()) == [JOB_ID]


def test_an_error_of_a_source_stream_is_raised_unchanged(local: Spool, folder: Path) -> None:
    class Broken(io.BytesIO):
        def read(self, _size: int | None = -1, /) -> bytes:
            raise OSError("the sender hung up")

    with pytest.raises(OSError, match="hung up"):
        local.put_source(JOB_ID, Broken(), limit=10)
    assert every_file(folder) == []


def test_json_and_pages_are_read_as_they_were_written(spool: Spool) -> None:
    spool.write_json(JOB_ID, END, {"state": "done", "name": "r\u00e9sum\u00e9"})
    assert spool.read_json(JOB_ID, END) == {"state": "done", "name": "r\u00e9sum\u00e9"}
    for number in (11, 2, 1_000_000):
        spool.write_page(JOB_ID, number, {"page": number})
    spool.write_page(JOB_ID, 2, {"page": 2, "again": True})
    assert spool.page_numbers(JOB_ID) == [2, 11, 1_000_000]
    assert spool.read_page(JOB_ID, 2) == {"page": 2, "again": True}
    assert spool.exists(JOB_ID, END)
    assert not spool.exists(JOB_ID, "result-1.json")


def test_a_file_name_with_odd_bytes_is_stored(spool: Spool) -> None:
    spool.write_json(JOB_ID, JOB, {"name": "a\udcff.pdf"})
    assert spool.read_json(JOB_ID, JOB) == {"name": "a?.pdf"}


def test_a_missing_file_is_not_a_storage_error(spool: Spool) -> None:
    with pytest.raises(FileNotFoundError, match="not in the spool"):
        spool.read_json(JOB_ID, END)
    with pytest.raises(FileNotFoundError):
        spool.read_page(JOB_ID, 1)
    with pytest.raises(FileNotFoundError), spool.open_read(JOB_ID, "result-1.json"):
        pass
    with pytest.raises(FileNotFoundError), spool.local_source(JOB_ID, f"source-{'0' * 64}"):
        pass
    assert spool.page_numbers(str(uuid4())) == []


def test_damaged_json_is_a_storage_error(spool: Spool) -> None:
    with spool.open_write(JOB_ID, END) as stream:
        stream.write('{"state": "do')
    with pytest.raises(StorageError, match=r"end\.json: damaged"):
        spool.read_json(JOB_ID, END)


def test_text_is_written_whole_or_not_at_all(spool: Spool) -> None:
    def half() -> None:
        with spool.open_write(JOB_ID, "output.txt") as stream:
            stream.write("half" * 100_000)
            raise KeyError

    with pytest.raises(KeyError):
        half()
    assert not spool.exists(JOB_ID, "output.txt")
    with spool.open_write(JOB_ID, "output.txt") as stream:
        stream.write("a\r\nb\n")
        assert not spool.exists(JOB_ID, "output.txt")
    with spool.open_read(JOB_ID, "output.txt") as stream:
        assert stream.readlines() == ["a\r\n", "b\n"]


def test_drop_removes_everything_and_can_be_repeated(spool: Spool) -> None:
    spool.put_source(JOB_ID, io.BytesIO(b"x"), limit=1)
    spool.write_page(JOB_ID, 1, {})
    assert list(spool.jobs()) == [JOB_ID]
    spool.drop(JOB_ID)
    spool.drop(JOB_ID)
    assert list(spool.jobs()) == []
    assert spool.page_numbers(JOB_ID) == []


def test_a_late_page_of_a_dropped_job_leaves_nothing(local: Spool, folder: Path) -> None:
    local.write_json(JOB_ID, JOB, {})
    local.drop(JOB_ID)
    with pytest.raises(StorageError, match="dropped"):
        local.write_page(JOB_ID, 1, {})
    with pytest.raises(StorageError, match="dropped"):
        local.write_json(JOB_ID, END, {})
    assert every_file(folder) == []


@pytest.mark.parametrize(
    "job", ["", "..", "../x", JOB_ID.upper(), JOB_ID.replace("-", ""), f"{{{JOB_ID}}}", "x" * 36, None]
)
def test_only_a_canonical_uuid_becomes_a_path(local: Spool, job: str) -> None:
    with pytest.raises(UnknownJob):
        local.exists(job, JOB)


@pytest.mark.parametrize("name", ["", "..", "a/b", ".hidden", "/etc/passwd", "a\n", "a" * 200])
def test_only_a_plain_name_becomes_a_path(local: Spool, name: str) -> None:
    with pytest.raises(ValueError, match="file name"):
        local.write_json(JOB_ID, name, {})
    with pytest.raises(ValueError, match="stored source"):
        local.local_source(JOB_ID, f"source-{name}")


def test_files_are_private_whatever_the_umask(local: Spool, folder: Path) -> None:
    old = os.umask(0)
    try:
        local.write_json(JOB_ID, JOB, {})
        local.write_page(JOB_ID, 1, {})
    finally:
        os.umask(old)
    assert {p.stat().st_mode & 0o7777 for p in [folder, *folder.rglob("*")] if p.is_dir()} == {0o700}
    assert {p.stat().st_mode & 0o7777 for p in folder.rglob("*") if p.is_file()} == {0o600}


def test_files_are_shared_with_a_group_whatever_the_umask(folder: Path) -> None:
    group = grp.getgrgid(os.getgid())
    shared = Spool(str(folder), group=group.gr_name)
    old = os.umask(0o077)
    try:
        shared.prepare()
        shared.write_json(JOB_ID, JOB, {})
        shared.put_password(JOB_ID, b"secret")
    finally:
        os.umask(old)
    paths = [folder, *folder.rglob("*")]
    assert {p.stat().st_mode & 0o7777 for p in paths if p.is_dir()} == {0o2770}
    assert {p.stat().st_mode & 0o7777 for p in paths if p.is_file()} == {0o660}
    assert {p.stat().st_gid for p in paths} == {group.gr_gid}


def test_an_unknown_group_is_named(folder: Path) -> None:
    with pytest.raises(StorageError, match="OCR_SPOOL_GROUP: no group 'no-such-group'"):
        Spool(str(folder), group="no-such-group")


@pytest.mark.parametrize(
    ("given", "read"), [(b"secret\n", "secret"), (b" p\r\n", " p"), ("\u00e4".encode(), "\u00e4"), (b"\xe4", "\u00e4")]
)
def test_a_password_is_kept_and_dropped(local: Spool, given: bytes, read: str) -> None:
    local.put_password(JOB_ID, given)
    assert local.read_password(JOB_ID) == read
    local.drop_password(JOB_ID)
    local.drop_password(JOB_ID)
    assert local.read_password(JOB_ID) is None


def test_a_password_is_refused_on_object_storage() -> None:
    with pytest.raises(InvalidOptions, match="object storage"):
        Spool(f"memory://{uuid4()}").put_password(JOB_ID, b"secret")


def test_a_write_that_fails_is_a_storage_error_and_leaves_no_file(local: Spool, folder: Path) -> None:
    local.write_json(JOB_ID, JOB, {"v": 1})
    with files_of_at_most(100_000):
        with pytest.raises(StorageError, match=r"pages/000001\.json: File too large"):
            local.write_page(JOB_ID, 1, {"text": "x" * 1_000_000})
        with pytest.raises(StorageError, match="source"):
            local.put_source(JOB_ID, io.BytesIO(b"x" * 1_000_000), limit=1_000_000)
        with pytest.raises(StorageError, match="result-1"), local.open_write(JOB_ID, "result-1.json") as stream:
            stream.writelines("x" * 1000 for _ in range(1000))
        with pytest.raises(StorageError, match=r"job\.json"):
            local.write_json(JOB_ID, JOB, {"text": "x" * 1_000_000})
    assert every_file(folder) == [f"jobs/{JOB_ID}/job.json"]
    assert local.read_json(JOB_ID, JOB) == {"v": 1}


@pytest.fixture
def synced(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The calls of fsync, in order: the names in a folder, or an empty list for a file."""
    found: list[list[str]] = []
    fsync = os.fsync

    def note(number: int) -> None:
        is_folder = stat.S_ISDIR(os.fstat(number).st_mode)
        found.append(sorted(os.listdir(number)) if is_folder else [])
        fsync(number)

    monkeypatch.setattr(os, "fsync", note)
    return found


def test_bytes_then_name_then_new_folders_reach_the_disk(local: Spool, synced: list[list[str]]) -> None:
    """After a power failure a name without its bytes would be a damaged file; bytes without a name would be lost."""
    stored = local.put_source(JOB_ID, io.BytesIO(b"x"), limit=1)
    assert synced == [[], [stored.file], ["jobs"], [JOB_ID]]  # the job's folder, the spool, the folder of jobs

    synced.clear()
    local.write_json(JOB_ID, JOB, {})
    assert synced == [[], ["job.json", stored.file]]

    synced.clear()
    local.write_page(JOB_ID, 1, {})
    assert synced == [[], ["000001.json"], ["job.json", "pages", stored.file]]


def test_files_that_are_stored_together_reach_the_disk_with_one_sync_of_each_folder(
    local: Spool, synced: list[list[str]]
) -> None:
    with local.together():
        with local.together():
            stored = local.put_source(JOB_ID, io.BytesIO(b"x"), limit=1)
            local.write_json(JOB_ID, JOB, {})
        assert synced == []
    assert synced == [[], [], ["job.json", stored.file], ["jobs"], [JOB_ID]]  # the bytes of both before their names

    synced.clear()
    with pytest.raises(FileNotFoundError), local.together():
        local.read_page(JOB_ID, 1)
    local.write_json(JOB_ID, "other.json", {})  # as outside of any block
    assert synced == [[], ["job.json", "other.json", stored.file]]


def test_files_of_a_block_that_fails_are_removed_and_those_around_it_are_stored(local: Spool, folder: Path) -> None:
    def fail() -> None:
        with local.together():
            local.write_json(JOB_ID, "lost.json", {})
            raise ValueError("no")

    with local.together():
        local.write_json(JOB_ID, JOB, {})
        with pytest.raises(ValueError, match="no"):
            fail()
    assert [path.name for path in (folder / "jobs" / JOB_ID).iterdir()] == ["job.json"]


def test_many_files_that_are_stored_together_are_not_all_held_open(local: Spool) -> None:
    local.write_json(JOB_ID, JOB, {})
    before = len(list(Path("/dev/fd").iterdir()))
    with local.together():
        for number in range(1, 231):
            local.write_page(JOB_ID, number, {})
            assert len(list(Path("/dev/fd").iterdir())) < before + 100
    assert local.page_numbers(JOB_ID) == list(range(1, 231))
    assert len(list(Path("/dev/fd").iterdir())) == before


def test_a_folder_that_is_gone_before_it_is_synced_is_an_error(local: Spool) -> None:
    def store_and_drop() -> None:
        with local.together():
            local.write_json(JOB_ID, JOB, {})
            local.drop(JOB_ID)

    with pytest.raises(StorageError, match="No such file"):
        store_and_drop()


def test_a_full_disk_is_recognised() -> None:
    error = StorageError("spool: x: No space left on device: free some")
    error.__cause__ = OSError(28, "No space left on device")
    assert is_full(error)
    assert not is_full(StorageError("spool: x: Permission denied"))


def test_check_names_what_is_wrong(local: Spool, folder: Path) -> None:
    local.check()
    assert every_file(folder) == []
    with pytest.raises(StorageError, match=r"spool .*gone is not there: mount or create it, or set OCR_SPOOL_URL"):
        Spool(str(folder / "gone")).check()
    (folder / "file").write_text("")
    with pytest.raises(StorageError, match="is not there"):
        Spool(str(folder / "file")).check()
    with pytest.raises(StorageError, match="OCR_SPOOL_URL"):
        Spool("nonsense://x")


def test_check_of_object_storage_leaves_nothing() -> None:
    spool = Spool(f"memory://{uuid4()}")
    spool.check()
    assert list(spool.jobs()) == []


def test_a_missing_spool_is_an_error_and_not_an_empty_spool(folder: Path) -> None:
    spool = Spool(str(folder))
    for use in (
        lambda: list(spool.jobs()),
        lambda: spool.exists(JOB_ID, JOB),
        lambda: spool.read_json(JOB_ID, JOB),
        lambda: spool.write_json(JOB_ID, JOB, {}),
    ):
        with pytest.raises(StorageError, match="is not there"):
            use()
    assert not folder.exists()


def test_folders_with_other_names_are_not_jobs(local: Spool, folder: Path) -> None:
    local.write_json(JOB_ID, JOB, {})
    (folder / "jobs" / "lost+found").mkdir()
    (folder / "jobs" / JOB_ID.upper()).mkdir()
    assert list(local.jobs()) == [JOB_ID]


def test_a_link_in_a_job_is_not_followed_when_it_is_dropped(local: Spool, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "file").write_text("x")
    local.write_json(JOB_ID, JOB, {})
    (folder / "jobs" / JOB_ID / "link").symlink_to(tmp_path / "precious")
    local.drop(JOB_ID)
    assert (tmp_path / "precious" / "file").exists()


def test_a_file_url_is_a_folder(folder: Path) -> None:
    spool = Spool(f"file://{folder}")
    assert spool.is_local
    spool.prepare()
    spool.write_json(JOB_ID, JOB, {})
    assert every_file(folder) == [f"jobs/{JOB_ID}/job.json"]


def test_a_check_leaves_no_file_also_where_files_wait_for_one_another(local: Spool, folder: Path) -> None:
    before = sorted(folder.rglob("*"))
    with local.together():
        local.check()
    local.check()
    assert sorted(folder.rglob("*")) == before


def test_what_killed_processes_left_is_swept_once_it_is_old(local: Spool, folder: Path) -> None:
    local.write_json(JOB_ID, JOB, {"v": 1})
    pages = folder / "jobs" / JOB_ID / "pages"
    pages.mkdir()
    left = [folder / f".check-{uuid4()}", pages / ".tmp-a", pages.parent / ".tmp-b"]
    for path in [*left, pages / ".tmp-new"]:
        path.touch()
    for path in [*left, pages.parent / JOB]:
        os.utime(path, (1000, 1000))
    assert local.sweep(2000) == len(left)
    assert [path.name for path in pages.iterdir()] == [".tmp-new"]
    assert local.exists(JOB_ID, JOB)
    assert local.sweep(2000) == 0
