"""Uploads: a file belongs to the process that receives it, and is removed when that process is gone."""

import errno
import grp
import hashlib
import os
from pathlib import Path

import pytest

from ocrqueue.errors import StorageError
from ocrqueue.storage.spool import Spool
from ocrqueue.storage.uploads import Uploads


@pytest.fixture
def uploads(tmp_path: Path) -> Uploads:
    return Uploads(tmp_path / "uploads")


def test_what_was_written_is_in_the_file(uploads: Uploads) -> None:
    upload = uploads.open()
    upload.write(b"one ")
    upload.write(bytearray(b"two"))
    assert upload.path.read_bytes() == b"one two"
    assert upload.bytes == 7
    assert upload.sha256 == hashlib.sha256(b"one two").hexdigest()
    assert upload.path.stat().st_mode & 0o777 == 0o600


def test_folder_and_files_are_shared_with_the_group_of_the_spool_whatever_the_umask(tmp_path: Path) -> None:
    group = grp.getgrgid(os.getgid())
    spool = Spool(str(tmp_path), group=group.gr_name)
    uploads = Uploads(spool.uploads_folder(tmp_path), spool.gid)
    old = os.umask(0o077)
    try:
        paths = [uploads.open().path, uploads.folder]
    finally:
        os.umask(old)
    assert [path.stat().st_mode & 0o7777 for path in paths] == [0o660, 0o2770]
    assert {path.stat().st_gid for path in paths} == {group.gr_gid}


def test_a_folder_of_another_user_fails_with_the_command_that_shares_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> int:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    uploads = Uploads(tmp_path / "uploads", os.getgid())
    monkeypatch.setattr(os, "open", refuse)  # a mode would not stop root
    with pytest.raises(StorageError) as caught:
        uploads.open()
    assert "(Permission denied): let the group of OCR_SPOOL_GROUP write there: " in caught.value.message
    assert f"`chgrp {os.getgid()} {uploads.folder} && chmod 2770 {uploads.folder}`" in caught.value.message


def test_a_discarded_file_is_gone(uploads: Uploads) -> None:
    upload = uploads.open()
    upload.discard()
    upload.discard()
    assert list(uploads.folder.iterdir()) == []


def test_a_file_that_a_job_took_stays(uploads: Uploads, tmp_path: Path) -> None:
    upload = uploads.open()
    upload.write(b"a")
    upload.path.replace(tmp_path / "taken")
    upload.discard()
    assert (tmp_path / "taken").read_bytes() == b"a"


def test_only_files_of_dead_processes_are_swept(uploads: Uploads) -> None:
    mine = uploads.open()
    (uploads.folder / "left").write_bytes(b"of a process that was killed: nobody holds its lock")
    assert uploads.sweep() == 1
    assert list(uploads.folder.iterdir()) == [mine.path]
    assert uploads.sweep() == 0


def test_sweeping_a_folder_that_does_not_exist_does_nothing(uploads: Uploads) -> None:
    assert uploads.sweep() == 0
    assert not uploads.folder.exists()


def test_a_spool_that_is_not_mounted_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="is not there: mount or create it"):
        Uploads(tmp_path / "missing" / "uploads").open()
    assert list(tmp_path.iterdir()) == []


def test_a_write_that_fails_says_where(uploads: Uploads) -> None:
    upload = uploads.open()
    full = os.open("/dev/full", os.O_WRONLY)
    os.dup2(full, upload._number)
    with pytest.raises(StorageError, match=r"cannot be kept in .* \(No space left on device\): free space"):
        upload.write(b"a")
    os.close(full)
