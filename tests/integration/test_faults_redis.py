"""A Redis that does not answer, refuses writes, or makes a worker crash; and a Redis with a password and TLS."""

import re
import signal
import ssl
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from redis import Redis

from ocrqueue import names
from ocrqueue.ledger.workers import live
from tests.support import numbered
from tests.support.faults import Supervised, eventually, send_all, supervised
from tests.support.thorough import thorough_but

PASSWORD = "s3cret"


def certificate(folder: Path) -> ssl.SSLContext:
    """Create a certificate for localhost. Returns the context of its server; clients trust the file `cert.pem`."""
    subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    make = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    files = ["-keyout", str(folder / "key.pem"), "-out", str(folder / "cert.pem"), "-days", "2"]
    subprocess.run([*make, *subject, *files], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    return context


@pytest.fixture(scope="module")
def stack() -> Iterator[Supervised]:
    with supervised() as stack:
        stack.start_documents(children=1)
        stack.start_worker(engines="slow=tests.support.engines:Slow", children=2)
        stack.start_beat()
        yield stack


@pytest.mark.thorough
def test_a_redis_that_does_not_answer_for_a_while(stack: Supervised) -> None:
    path = numbered.write(stack.folder / "a.tif", 1)
    job = stack.client().submit(numbered.document(8), engine="slow")
    eventually(lambda: job.status().ok >= 1)
    stack.strike("redis", signal.SIGSTOP)
    run = stack.submit("ocr", str(path), "--engine", "slow", "--no-wait")
    assert (run.returncode, run.stdout) == (6, "")
    (line,) = run.stderr.splitlines()
    assert "does not answer within 5 s" in line
    stack.strike("redis", signal.SIGCONT)
    assert job.wait(timeout=60).state == "done"
    assert max(p["attempts"] for p in job.result()["pages"]) <= 1
    assert stack.client().dead() == []


@pytest.mark.parametrize(
    ("option", "client", "worker"),
    thorough_but(
        1,
        [
            ("maxmemory", "memory limit", "Redis has reached its memory limit"),
            ("min-replicas-to-write", "fewer replicas", "Redis has too few replicas"),
        ],
    ),
)
def test_a_redis_that_refuses_writes_for_a_while(stack: Supervised, option: str, client: str, worker: str) -> None:
    path = numbered.write(stack.folder / "a.tif", 1)
    jobs = [stack.client().submit(numbered.document(6, salt=n), engine="slow") for n in range(3)]
    eventually(lambda: jobs[0].status().ok >= 1)
    before = {name: len(stack.text(name)) for name in ("worker", "documents", "beat")}
    connections = stack.redis.info("clients")["connected_clients"]
    stack.redis.config_set(option, 1)
    run = stack.submit("ocr", str(path), "--engine", "slow", "--no-wait")
    assert (run.returncode, run.stdout) == (6, "")
    (line,) = run.stderr.splitlines()
    assert client in line
    time.sleep(3)  # workers connect again some ten times
    assert stack.redis.info("clients")["connected_clients"] < connections + 10
    stack.redis.config_set(option, 0)
    eventually(lambda: all(job.status().has_ended for job in jobs), 60, 0.5)
    assert [job.status().state for job in jobs] == ["done"] * 3
    assert stack.client().dead() == []
    logs = {name: stack.text(name)[start:] for name, start in before.items()}
    assert any(worker in log for log in logs.values())
    for name, log in logs.items():
        assert log.count(worker) <= 1 + len(stack.children(name))
        assert not re.search(
            "command not allowed|OutOfMemoryError|Refused|Frequent restarts|Cannot connect|Celery", log
        )
        if worker in log:
            eventually(lambda name=name: "Redis accepts writes again" in stack.text(name)[before[name] :])  # type: ignore[misc]
    assert {name for name, process in stack.processes.items() if process.poll() is not None} == set()


def test_redis_that_cannot_be_asked_is_no_lost_attempt(stack: Supervised) -> None:
    """Scripts are refused when the page has been read, and when the document has been opened."""
    start = len(stack.text("worker"))
    job = stack.client().submit(numbered.document(2, salt=77), engine="slow")
    eventually(lambda: stack.redis.zcard(names.CLAIMS) and job.status().state == "running")
    stack.redis.execute_command("ACL SETUSER default -evalsha -eval")
    try:
        eventually(lambda: "given back, because Redis could not be asked" in stack.text("worker")[start:], 30)
    finally:
        stack.redis.execute_command("ACL SETUSER default +evalsha +eval")
    assert job.wait(timeout=60).state == "done"
    assert [page["attempts"] for page in job.result()["pages"]] == [0, 0]


def alive(pid: int) -> bool:
    """Whether a process runs. A zombie does not: it is an orphan whose exit code no process has collected."""
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


@pytest.mark.thorough
@pytest.mark.parametrize("hangs", [False, True])
def test_a_worker_that_crashes_is_not_live_any_more_and_ends(hangs: bool) -> None:
    """Its children do not end by themselves. In the second case its parent process does not either."""
    with supervised(OCR_SHUTDOWN_SECONDS="4") as stack:
        stack.start_documents(children=1)
        env = {"TEST_CRASHES": "1"} | ({"TEST_HANGS": "1"} if hangs else {})
        worker = stack.start_worker(engines="steady=tests.support.engines:Steady", children=3, **env)
        process, children = stack.processes["worker"], stack.children("worker")
        job = stack.client().submit(numbered.document(2), engine="steady")
        eventually(lambda: stack.redis.zcard(names.CLAIMS) == 2)
        send_all(children, signal.SIGSTOP)
        stack.redis.set("pages.steady", "no list of messages")
        eventually(lambda: worker.id not in {w.id for w in live(stack.redis)}, 10)
        assert process.poll() is None, "the worker did not wait for its pages"
        assert "Unrecoverable error" in stack.text("worker")
        assert process.wait(60) == 1
        assert not any(alive(pid) for pid in children)
        assert stack.redis.zcard(names.CLAIMS) == 0
        stack.redis.delete("pages.steady")
        stack.start_worker("another", engines="steady=tests.support.engines:Steady", children=2)
        assert job.wait(timeout=60).state == "done"
        assert [p["attempts"] for p in job.result()["pages"]] == [0, 0]


@pytest.mark.needs("openssl")
def test_a_password_and_tls(stack: Supervised) -> None:
    """The packaged server does not support TLS, so a relay in front of it does."""
    relay = stack.relay(tls=certificate(stack.folder))
    stack.redis.config_set("requirepass", PASSWORD)

    def url(password: str) -> str:
        return f"rediss://:{password}@localhost:{relay.port}/0?ssl_ca_certs={stack.folder / 'cert.pem'}"

    stack.redis = Redis(unix_socket_path=str(stack.socket), password=PASSWORD, decode_responses=True)
    stack.env["REDIS_URL"] = url(PASSWORD)
    stack.start_documents("tls-documents", children=1)
    stack.start_worker("tls-worker")
    path = str(numbered.write(stack.folder / "a.tif", 2))
    run = stack.submit("ocr", path, "--engine", "numbered")
    assert (run.returncode, run.stdout.split()) == (0, ["page", "1", "page", "2"]), run.stderr
    run = stack.submit("ocr", path, "--engine", "numbered", env=stack.env | {"REDIS_URL": url("wrong")})
    assert (run.returncode, run.stdout) == (6, "")
    (line,) = run.stderr.splitlines()
    assert "refuses this user or password" in line
    assert "wrong" not in line
    assert PASSWORD not in stack.text("tls-worker") + stack.text("tls-documents")
