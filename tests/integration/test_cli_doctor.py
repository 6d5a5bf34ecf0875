"""`doctor`, and the first lines of lists, with a real Redis and a real spool."""

import time
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from redis import Redis

from ocrqueue import names
from ocrqueue.cli import main
from ocrqueue.client import Client, doctor, listing
from ocrqueue.client.listing import JobFilter
from ocrqueue.ledger.workers import Worker, announce
from ocrqueue.process import blas
from ocrqueue.settings import hostname
from tests.support.command_line import settings_of
from tests.support.ledger_steps import commands, opened, read

Output = pytest.CaptureFixture[str]


@pytest.fixture
def client(redis: Redis, redis_server: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Client]:
    with settings_of(redis_server, tmp_path, monkeypatch) as client:
        yield client


def test_doctor_finds_what_is_wrong(client: Client, redis: Redis, capsys: Output) -> None:
    job = client.submit(b"abc")
    long_ago = time.time() - 31 * 60
    redis.hset(names.job_key(job.id), mapping={"created": long_ago, "moved": long_ago})
    assert main(["doctor"]) == 4
    out = capsys.readouterr().out
    for wrong in ("appendonly yes", "no worker opens documents", "no worker reads pages", "reconciler does not run"):
        assert any(line.startswith("wrong") for line in out.splitlines() if wrong in line), wrong
    assert f"job {job.id} (document) has not progressed for 30 minutes" in out
    assert "can be written" in out


@pytest.mark.parametrize(
    ("refuse", "allow", "said"),
    [
        (
            "CONFIG SET min-replicas-to-write 1",
            "CONFIG SET min-replicas-to-write 0",
            "takes no writes at the moment: it has fewer replicas than min-replicas-to-write (NOREPLICAS)",
        ),
        ("REPLICAOF 127.0.0.1 1", "REPLICAOF NO ONE", "takes no writes at the moment: it is a replica (READONLY)"),
        ("CONFIG SET maxmemory 1", "CONFIG SET maxmemory 0", "has reached its memory limit"),
    ],
)
def test_doctor_says_why_redis_takes_no_writes_and_blames_nobody_else(
    client: Client, redis: Redis, capsys: Output, refuse: str, allow: str, said: str
) -> None:
    """As after a minute: the announcements of workers have run out, and the reconciler noted no run."""
    redis.hset(names.job_key(client.submit(b"abc").id), "moved", time.time() - 31 * 60)
    redis.config_set("appendonly", "yes")
    redis.execute_command(*refuse.split())
    try:
        assert main(["doctor"]) == 4
    finally:
        redis.execute_command(*allow.split())
        redis.config_set("appendonly", "no")
    wrong = [line for line in capsys.readouterr().out.splitlines() if line.startswith("wrong") and "disk" not in line]
    assert [line for line in wrong if said in line] == wrong[-1:], wrong
    assert all(line.split()[1] == "Redis" for line in wrong), wrong  # its memory has a line of its own
    main(["doctor"])
    assert "no worker opens documents" in capsys.readouterr().out
    assert redis.pttl(names.TRIAL) != -1  # no expiry


@pytest.mark.parametrize("last", [None, -3600])  # it has never run; it ran before the stack was stopped
@pytest.mark.parametrize(
    ("started", "level"), [(-5, "note"), (-200, "wrong"), (3600, "wrong")]
)  # its clock may be ahead
def test_doctor_waits_for_the_first_run_of_the_reconciler(
    client: Client, redis: Redis, capsys: Output, started: int, level: str, last: int | None
) -> None:
    announce(redis, Worker("w1", "host", 1, "0.1.0", ("documents", "maintenance"), started=time.time() + started), 30)
    if last is not None:
        redis.hset(names.RECONCILER, "last", time.time() + last)
    main(["doctor"])
    (line,) = [line for line in capsys.readouterr().out.splitlines() if "reconciler" in line]
    assert line.startswith(level)
    redis.hset(names.RECONCILER, "last", time.time())
    main(["doctor"])
    (line,) = [line for line in capsys.readouterr().out.splitlines() if "reconciler" in line]
    assert line.startswith("ok")


def test_doctor_says_who_waits_for_ever_without_beat(client: Client, redis: Redis, capsys: Output) -> None:
    job = client.submit(b"abc").id
    redis.zadd(names.UNPUBLISHED, {job: time.time()})
    main(["doctor"])
    out = capsys.readouterr().out
    assert "who waits for it without a timeout waits for ever: start `celery -A tasks.app beat`" in out
    assert "nobody was told" not in out  # its worker may be about to
    redis.zadd(names.UNPUBLISHED, {job: time.time() - 100})
    main(["doctor"])
    assert "wrong ended jobs whose clients still wait, because nobody was told: 1; start" in " ".join(
        capsys.readouterr().out.split()
    )


@pytest.mark.parametrize(("engine", "level"), [("rapidocr", "note"), ("mlx-vlm", "warn")])
def test_doctor_reports_a_slow_blas_without_an_error(
    client: Client, redis: Redis, capsys: Output, monkeypatch: pytest.MonkeyPatch, engine: str, level: str
) -> None:
    monkeypatch.setattr(blas, "is_wanted", lambda: True)
    monkeypatch.setattr(blas, "find_blas", lambda: None)
    announce(redis, Worker("w1", hostname(), 1, "0.1.0", ("documents", "maintenance", "pages.x"), {engine: {}}), 30)
    redis.hset(names.RECONCILER, "last", time.time())
    redis.config_set("appendonly", "yes")
    try:
        code = main(["doctor"])
    finally:
        redis.config_set("appendonly", "no")
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines if "MLX" in line] == [level]
    assert code == (4 if any(line.startswith("wrong") and "disk" in line for line in lines) else 0)


def test_doctor_finds_nothing_wrong_in_a_healthy_stack(client: Client, redis: Redis, capsys: Output) -> None:
    redis.config_set("appendonly", "yes")
    try:
        announce(redis, Worker("w1", "host", 1, "0.1.0", ("documents",)), 30)
        announce(redis, Worker("w2", "host", 2, "0.1.0", ("pages.rapidocr",), {"rapidocr": {"model": "tiny"}}), 30)
        redis.hset(names.RECONCILER, "last", time.time())
        main(["doctor"])
        lines = capsys.readouterr().out.splitlines()
        assert any("reads with rapidocr (tiny)" in line for line in lines)
        assert [line for line in lines if line.startswith("wrong") and "disk" not in line] == []
    finally:
        redis.config_set("appendonly", "no")


def test_the_first_lines_of_lists_and_doctor_cost_the_same_for_ten_times_the_jobs(
    client: Client, redis: Redis, capsys: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("_LOOKED_AT", "_OPEN_LOOKED_AT"):
        monkeypatch.setattr(doctor, name, 5)
    monkeypatch.setattr(listing, "_CHUNK", 5)

    def needed() -> list[int]:
        found = []
        for look in (
            lambda: next(client.each_job()), lambda: next(client.each_dead()), lambda: main(["doctor"]),
            lambda: client.jobs_part(JobFilter(), 5), lambda: client.dead_part(5),
        ):  # fmt: skip
            before = commands(redis)
            look()
            found.append(commands(redis) - before)
        return found

    def fill(jobs: int) -> None:
        for _ in range(jobs):
            opened(client.ledger, 2, job=(job := str(uuid4())))
            read(client.ledger, "engine_error", job=job)

    fill(20)
    few = needed()
    fill(180)
    assert needed() == few
    assert len(list(client.each_job())) == len(list(client.each_dead())) == 200
    assert [status.id for status in client.each_job()] == client.ledger.jobs()
    assert "200" in capsys.readouterr().out  # failed pages


def test_doctor_names_some_stuck_jobs_of_many(client: Client, redis: Redis, capsys: Output) -> None:
    for _ in range(25):
        opened(client.ledger, 2, job=(job := str(uuid4())))
        redis.hset(names.job_key(job), "moved", time.time() - 31 * 60)
    main(["doctor"])
    out = capsys.readouterr().out
    assert out.count("has not progressed") == 20
    assert "5 others of the 25 oldest open jobs have not progressed either" in out
