"""The client with a real Redis and a real spool. The tests do the work of the workers through the ledger."""

import errno
import io
import json
import os
import stat
import time
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Unpack

import pytest
from redis import Redis

from ocrqueue import names
from ocrqueue.client import Client, Document
from ocrqueue.client.submission import AnySource, Parameters, Request, job_id
from ocrqueue.client.submission.group import Group
from ocrqueue.errors import (
    DocumentError,
    InvalidOptions,
    OcrError,
    QueueFull,
    QueueUnavailable,
    StorageError,
)
from ocrqueue.ledger import Creation, Step, figures, workers
from ocrqueue.ledger.connection import reaching
from ocrqueue.ledger.workers import Worker
from tests.support.player import Reader


def spooled(client: Client) -> list[str]:
    return list(client.spool.jobs())


# -- submitting -------------------------------------------------------------------------------------------------------
def test_a_submission_stores_bytes_record_and_message(client: Client, redis: Redis) -> None:
    job = client.submit(b"abc", name="scan.pdf", lang="de", priority="high")
    status = job.status()
    assert (status.state, status.name, status.pages) == ("queued", "scan.pdf", None)
    note = client.spool.read_json(job.id, "job.json")
    assert note["job"] == job.id
    assert note["options"] == {"lang": "de", "priority": "high"}
    assert note["source"] == client.ledger.job(job.id).source.to_json()
    with client.spool.local_source(job.id, note["source"]["file"]) as path:
        assert path.read_bytes() == b"abc"
    (raw,) = redis.lrange("documents\x06\x163", 0, -1)
    message = json.loads(raw)
    assert message["headers"]["id"] == job.id
    assert message["headers"]["task"] == names.DOCUMENT
    assert message["content-type"] == "application/json"
    assert message["properties"]["priority"] == 3


def test_a_url_is_not_downloaded_by_the_client(client: Client) -> None:
    job = client.submit("https://host.example/a.pdf")
    source = client.ledger.job(job.id).source
    assert (source.name, source.file, source.spec) == ("a.pdf", None, {"url": "https://host.example/a.pdf"})
    assert client.spool.exists(job.id, "job.json")


def test_a_file_and_a_stream_are_read(client: Client, tmp_path: Path) -> None:
    (tmp_path / "a.pdf").write_bytes(b"abc")
    shas = {
        client.ledger.job(client.submit(s).id).source.sha256 for s in (tmp_path / "a.pdf", io.BytesIO(b"abc"), b"abc")
    }
    assert len(shas) == 1


def test_a_key_returns_the_same_job_and_stores_nothing_twice(client: Client, redis: Redis) -> None:
    first = client.submit(b"abc", key="invoice 7", dpi=300)
    before = redis.llen("documents\x06\x166")
    assert client.submit(io.BytesIO(b"abc"), key="invoice 7", dpi=300).id == first.id
    assert spooled(client) == [first.id]
    assert redis.llen("documents\x06\x166") == before
    with pytest.raises(InvalidOptions, match=r"other options \(dpi\)"):
        client.submit(b"abc", key="invoice 7", dpi=200)
    with pytest.raises(InvalidOptions, match="another document"):
        client.submit(b"abcd", key="invoice 7", dpi=300)
    assert client.submit(b"abcd", key="invoice 8").id != first.id


def test_documents_of_submit_many_with_the_same_key_have_the_answers_of_one_after_the_other(client: Client) -> None:
    client = Client(replace(client.settings, max_queued_pages=100_000, max_bytes=1 << 30))
    client.submit(b"0")  # the queue has room, which it says at the first submission
    large = bytes(30 << 20)  # it takes longer than those after it
    pairs = [(large, b"small"), (b"same", b"same"), (b"", b"good"), (b"good", b""), (b"", large, b"small")]
    documents = [Document(content, key=f"k{n}") for n, pair in enumerate(pairs) for content in pair]
    found = list(client.submit_many(documents))
    answers = [one.error and type(one.error) for one in found]
    assert answers == [
        *(None, InvalidOptions), *(None, None), *(DocumentError, None), *(None, InvalidOptions),
        *(DocumentError, None, InvalidOptions),
    ]  # fmt: skip
    sizes = [client.ledger.job(one.job.id).source.bytes for one in found if one.job]
    assert sizes == [len(large), 4, 4, 4, 4, len(large)]
    for one in found:
        if one.job:
            source = client.ledger.job(one.job.id).source
            assert client.spool.exists(one.job.id, str(source.file))
            assert client.spool.read_json(one.job.id, "job.json")["source"] == source.to_json()


@pytest.fixture
def synced(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, frozenset[str]]]:
    """Each finished call of fsync: the inode of the file or folder, and the names in the folder before the call."""
    found: list[tuple[int, frozenset[str]]] = []
    fsync = os.fsync

    def note(number: int) -> None:
        about = os.fstat(number)
        names_in_it = frozenset(os.listdir(number) if stat.S_ISDIR(about.st_mode) else ())
        fsync(number)
        found.append((about.st_ino, names_in_it))

    monkeypatch.setattr(os, "fsync", note)
    return found


def test_many_documents_are_on_the_disk_before_their_jobs_are_recorded_and_yielded(
    client: Client, synced: list[tuple[int, frozenset[str]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was acknowledged survives a power failure: bytes and names are synced before Redis knows the job."""
    client = Client(replace(client.settings, max_queued_pages=100_000))  # full queues take them one by one
    jobs, create_all = Path(client.settings.spool) / "jobs", client.ledger.create_all
    groups: list[int] = []

    def checked(creations: Iterable[Creation]) -> list[Step | OcrError]:
        done, every = list(synced), list(creations)
        groups.append(len(every))
        for job, files in ((one.job, {str(one.source.file), "job.json"}) for one in every):
            assert {(jobs / job / name).stat().st_ino for name in files} <= {inode for inode, _ in done}
            assert any(inode == (jobs / job).stat().st_ino and files <= inside for inode, inside in done)
            assert any(inode == jobs.stat().st_ino and job in inside for inode, inside in done)
        return create_all(every)

    monkeypatch.setattr(client.ledger, "create_all", checked)
    for number, one in enumerate(client.submit_many(f"{n}".encode() for n in range(20))):
        assert one.error is None
        assert one.job is not None
        assert one.job.status().state == "queued"
        assert client.ledger.job(one.job.id).source.bytes == len(str(number))
    assert len(spooled(client)) == 20
    assert sum(groups) == 20


def request(source: AnySource, **parameters: Unpack[Parameters]) -> Request:
    return Request(job_id(parameters.get("key")), source, parameters)


def submit_group(client: Client, requests: list[Request]) -> list[Exception | None]:
    return Group(client, lambda _: client.check_room()).submit(requests)


def test_refused_documents_of_a_group_leave_nothing_and_the_others_are_jobs(client: Client, redis: Redis) -> None:
    known = client.submit(b"known", key="known")
    redis.delete("documents\x06\x166")
    requests = [
        request(b"first"), request(b""), request(b"x", dpi=1), request(b"known", key="known"),
        request(b"other", key="known"), request(b"one", key="twice"), request(b"two", key="twice"), request(b"last"),
    ]  # fmt: skip
    errors = submit_group(client, requests)
    refused = [None, DocumentError, InvalidOptions, None, InvalidOptions, None, InvalidOptions, None]
    assert [error and type(error) for error in errors] == refused
    made = [requests[n].job for n in (0, 5, 7)]
    assert sorted(spooled(client)) == sorted([*made, known.id])
    assert sorted(client.ledger.jobs()) == sorted([*made, known.id])
    sent = [json.loads(raw)["headers"]["id"] for raw in redis.lrange("documents\x06\x166", 0, -1)]
    assert sent == made[::-1]  # one message each
    note = client.spool.read_json(made[1], "job.json")
    assert note["source"] == client.ledger.job(made[1]).source.to_json()  # the first document of that key


def test_a_spool_that_fails_within_a_group_stops_the_documents_after_it(client: Client) -> None:
    requests = [request(b"0"), request(b"1"), request(b"2")]
    client.spool.prepare()
    jobs = Path(client.settings.spool) / "jobs"
    jobs.mkdir(exist_ok=True)
    (jobs / requests[1].job).write_bytes(b"not a folder")
    first, second, third = submit_group(client, requests)
    assert first is None
    assert isinstance(second, StorageError)
    assert third is second
    assert client.ledger.jobs() == [requests[0].job]


def test_a_group_whose_names_cannot_be_synced_leaves_nothing(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    jobs = Path(client.settings.spool) / "jobs"
    fsync = os.fsync

    def fail(number: int) -> None:
        if os.fstat(number).st_ino == jobs.stat().st_ino:
            raise OSError(errno.EIO, "Input/output error")
        fsync(number)

    monkeypatch.setattr(os, "fsync", fail)
    errors = submit_group(client, [request(b"0"), request(b""), request(b"2")])
    assert [type(error) for error in errors] == [StorageError, DocumentError, StorageError]
    assert (spooled(client), client.ledger.jobs()) == ([], [])


def test_documents_that_are_submitted_at_a_time_stay_below_the_limit_of_the_queue(client: Client) -> None:
    client = Client(replace(client.settings, max_queued_pages=300))
    found = list(client.submit_many([f"{n}".encode() for n in range(40)]))
    assert [one.job is not None for one in found] == [n < 30 for n in range(40)]
    assert {type(one.error) for one in found[30:]} == {QueueFull}
    assert client.ledger.backlog() == 300
    assert len(spooled(client)) == 30


def test_one_bad_document_of_many_leaves_nothing(client: Client, tmp_path: Path) -> None:
    good = [Document(f"{n}".encode(), key=f"k{n}", name=f"{n}.pdf") for n in range(5)]
    found = list(client.submit_many([*good, b"", tmp_path / "none.pdf", b"last"], lang="de"))
    errors = [one.error for one in found]
    assert errors[:5] == [None] * 5
    assert isinstance(errors[5], DocumentError)
    assert isinstance(errors[6], FileNotFoundError)
    assert (errors[7], found[6].source) == (None, tmp_path / "none.pdf")
    jobs = [one.job.id for one in found if one.job]
    assert sorted(spooled(client)) == sorted(jobs)
    assert [client.ledger.job(job).source.name for job in jobs] == [*(f"{n}.pdf" for n in range(5)), "document"]
    again = list(client.submit_many(good, lang="de"))
    assert [one.job.id for one in again if one.job] == jobs[:5]
    with pytest.raises(InvalidOptions, match="dpi"):
        client.submit_many(good, dpi=1)


def test_a_full_queue_refuses_a_submission_and_keeps_nothing(client: Client) -> None:
    full = Client(replace(client.settings, max_queued_pages=20))
    full.submit(b"1")
    full.submit(b"2")
    with pytest.raises(QueueFull, match="OCR_MAX_QUEUED_PAGES"):
        full.submit(b"3")
    assert figures.read(full.redis).events == {("refused", "queue_full"): 1}
    assert len(spooled(client)) == 2
    full.redis.close()


def test_a_full_redis_refuses_a_submission_and_keeps_nothing(client: Client, redis: Redis) -> None:
    used = int(redis.info("memory")["used_memory"])
    try:
        redis.config_set("maxmemory", int(used * 1.1))
        with pytest.raises(QueueFull, match="of its memory limit"):
            client.submit(b"abc")
        redis.config_set("maxmemory", 1)
        with pytest.raises(QueueFull):
            client.submit(b"abc")
    finally:
        redis.config_set("maxmemory", 0)
    assert spooled(client) == []
    assert redis.zcard(names.JOBS) == 0


@pytest.mark.parametrize(("content", "code"), [(b"", "empty_file"), (b"x" * 1001, "too_large")])
def test_a_refused_document_leaves_nothing(client: Client, redis: Redis, content: bytes, code: str) -> None:
    with pytest.raises(DocumentError) as caught:
        client.submit(content)
    assert caught.value.code == code
    assert spooled(client) == []
    assert redis.zcard(names.JOBS) == 0


def test_a_password_is_stored_in_the_spool_only(client: Client, redis: Redis) -> None:
    job = client.submit(b"abc", password="open sesame")
    assert client.spool.read_password(job.id) == "open sesame"
    assert "sesame" not in json.dumps([redis.hgetall(names.job_key(job.id)), redis.lrange("documents\x06\x166", 0, -1)])


def test_a_missing_spool_is_an_error(client: Client, tmp_path: Path) -> None:
    away = Client(replace(client.settings, spool=str(tmp_path / "none")))
    for source in (b"abc", "https://host.example/a.pdf"):
        with pytest.raises(StorageError, match="is not there"):
            away.submit(source)
    assert away.jobs() == []
    away.redis.close()


def test_a_wrong_password_for_redis_is_an_error(client: Client, redis: Redis) -> None:
    redis.config_set("requirepass", "right")
    redis.execute_command("AUTH", "right")
    away = Client(client.settings)
    try:
        with pytest.raises(QueueUnavailable, match="refuses this user or password"):
            away.jobs()
    finally:
        redis.config_set("requirepass", "")
        away.redis.close()


def test_a_redis_that_cannot_write_to_its_disk_counts_as_away(client: Client) -> None:
    text = "takes no writes at the moment: it cannot write to its disk; free space there .MISCONF.; try again later"
    with pytest.raises(QueueUnavailable, match=text), reaching(client.settings):
        client.redis.eval("return redis.error_reply('MISCONF Errors writing to the AOF file: No space left')", 0)


# -- workers ----------------------------------------------------------------------------------------------------------
def test_workers_are_live_until_their_announcement_expires(client: Client, redis: Redis) -> None:
    engines = {"rapidocr": {"model": "tiny", "revision": "1", "batch": 1}}
    worker = Worker("w1", "host", 7, "0.1.0", ("documents", "pages.rapidocr"), engines, 2, 3.0)
    workers.announce(redis, worker, 20)
    workers.announce(redis, replace(worker, id="w2"), 0.05)
    time.sleep(0.1)
    assert workers.live(redis) == [worker]
    workers.withdraw(redis, "w1")
    assert workers.live(redis) == []


def test_the_status_names_the_missing_worker(client: Client, redis: Redis) -> None:
    job = client.submit(b"abc")
    assert "no worker opens documents" in str(job.status().waiting_for)
    workers.announce(redis, Worker("w1", "host", 7, "0.1.0", ("documents",)), 20)
    assert job.status().waiting_for is None
    Reader(client, job).open(3)
    assert "no worker reads pages.rapidocr" in str(job.status().waiting_for)
    paused = {"pages.rapidocr": "its model is damaged"}
    workers.announce(redis, Worker("w2", "host", 8, "0.1.0", ("models",), paused=paused), 20)
    assert job.status().waiting_for == "its workers are paused for a minute: its model is damaged"
