"""Object storage that does not answer, and how long who waits for it."""

import time
from functools import partial
from pathlib import Path

import pytest

from ocrqueue.errors import DocumentError, StorageAway, StorageError
from ocrqueue.process import watchdog
from ocrqueue.storage import retry, s3
from ocrqueue.storage.base import missing
from ocrqueue.storage.retry import three_tries, while_away
from ocrqueue.storage.s3 import S3Storage
from tests.support.object_store import free_port, silent

pytestmark = pytest.mark.needs("s3")


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION"):
        monkeypatch.setenv(name, "test")


def test_a_storage_that_accepts_and_never_answers_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(s3, "READ_SECONDS", 0.2)
    with silent() as address:
        monkeypatch.setenv("AWS_ENDPOINT_URL", address)
        storage = S3Storage("s3://bucket/ocr")
        for action in (storage.check, lambda: storage.reading("a"), lambda: storage.names("a")):
            storage._away = None
            with pytest.raises(StorageAway, match="does not answer") as raised:
                action()
            assert "\n" not in raised.value.message


def test_who_does_not_wait_for_the_storage_is_not_made_to_wait_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    storage = S3Storage("s3://bucket")
    tries = []

    def away(s3: object) -> None:
        tries.append(s3)
        raise StorageAway("away")

    for _ in range(3):
        with pytest.raises(StorageAway, match="away"):
            storage._do("a", away)
    assert len(tries) == 1


def test_a_storage_that_refuses_connections_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{free_port()}")
    with pytest.raises(StorageAway, match="does not answer"):
        S3Storage("s3://bucket").check()


def test_without_botocore_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(s3, "find_spec", lambda _: None)
    with pytest.raises(StorageError, match="make setup S3=1"):
        S3Storage("s3://bucket")


def test_a_write_leaves_no_file_on_this_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(s3.tempfile, "tempdir", str(tmp_path))
    storage = S3Storage("s3://bucket")
    kept = []
    monkeypatch.setattr(storage, "_put", lambda path, content: kept.append((path, content.seek(0), content.read())))
    with storage.writing("jobs/1", "draft", create=True) as draft:
        draft.file.write(b"text")
        assert list(tmp_path.iterdir()) == []  # so nothing is left if the process is killed now
        draft.name = "name"
    assert kept == [("jobs/1/name", 0, b"text")]


def test_a_document_that_is_too_large_for_one_request_is_refused_before_it_is_sent(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(s3, "LARGEST", 3)
    (tmp_path / "large").write_bytes(b"text")
    storage = S3Storage("s3://bucket")
    monkeypatch.setattr(storage, "_client", lambda: pytest.fail("it was sent"))
    with pytest.raises(DocumentError, match=r"4 bytes are too many.*at most 3 at once") as raised:
        storage.adopt(tmp_path / "large", "jobs/1", "source")
    assert raised.value.code == "too_large"
    with pytest.raises(DocumentError, match="4 bytes"), storage.writing("jobs/1", "source", create=True) as draft:
        draft.file.write(b"text")


def test_objects_that_are_fetched_ahead_come_in_order_and_a_missing_one_is_missing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    storage = S3Storage("s3://bucket")
    tries: list[str] = []

    def attempt(path: str, get: partial[None]) -> None:
        tries.append(path)
        if path == "13":
            raise missing(path)
        if path == "17" and tries.count(path) < 3:
            raise StorageAway("away")
        get.args[1].write(path.encode())

    monkeypatch.setattr(storage, "_try", attempt)
    found: list[bytes | None] = []
    with watchdog.time_limit(60, patience=30):
        for reading in storage.ahead(str(n) for n in range(20)):
            try:
                with reading() as file:
                    found.append(file.read())
            except FileNotFoundError:
                found.append(None)
    assert found == [None if n == 13 else str(n).encode() for n in range(20)]
    assert len(tries) == 22


class Away:
    """An operation of a storage that is away for its first calls, each of which takes 0.1 s."""

    def __init__(self, calls: int) -> None:
        self.left = calls

    def __call__(self) -> str:
        time.sleep(0.1)
        self.left -= 1
        if self.left >= 0:
            raise StorageAway("away")
        return "here"


def test_waiting_for_the_storage_is_not_the_time_of_the_page() -> None:
    with watchdog.time_limit(0.3, patience=60):  # it would end this process
        assert while_away(Away(1)) == "here"
        time.sleep(0.05)
    assert watchdog.patience() == 0


def test_patience_ends_and_is_that_of_the_whole_block(monkeypatch: pytest.MonkeyPatch) -> None:
    with watchdog.time_limit(30, patience=0.9):
        assert while_away(Away(1)) == "here"
        tries = Away(9)
        with pytest.raises(StorageAway):
            while_away(tries)
        assert tries.left == 8


def test_a_storage_that_is_silent_is_not_asked_again_if_that_would_outlast_the_patience() -> None:
    tries = []

    def silent() -> None:
        tries.append(1)
        time.sleep(0.3)
        raise StorageAway("silent")

    with watchdog.time_limit(30, patience=1.0), pytest.raises(StorageAway):
        while_away(silent)  # a second time would begin after 0.8 s, and end after 1.1 s
    assert len(tries) == 1


def test_without_a_limit_nobody_waits() -> None:
    tries = Away(9)
    with pytest.raises(StorageAway):
        three_tries(lambda: while_away(tries))
    assert tries.left == 8


def test_other_errors_are_tried_three_times(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retry._three_tries, "sleep", lambda _: None)
    calls = []

    def fail() -> None:
        calls.append(1)
        raise StorageError("no")

    with pytest.raises(StorageError):
        three_tries(fail)
    assert len(calls) == 3
