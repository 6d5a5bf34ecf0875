"""Plain messages: any program that can write JSON to Redis can submit a document and get its result."""

import base64
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from ocrqueue import names
from ocrqueue.names import VERSION
from tests.support import numbered
from tests.support.faults import supervised
from tests.support.harness import Stack, eventually, running
from tests.support.messages import ENVELOPE, push

# A program of another project. It sends with kombu and fetches the result with redis.
# Arguments: URL of the broker, socket of Redis, job id, path of the document.
SERVICE = """
import json, sys, time
from kombu import Connection
from redis import Redis

broker, socket, job, path = sys.argv[1:]
arguments = {"source": {"path": path}, "options": {"pages": "2-3", "priority": "high"}, "version": 1}
with Connection(broker) as connection, connection.Producer(serializer="json") as producer:
    producer.publish(
        [[], arguments, {}],
        exchange="",
        routing_key="documents",
        priority=3,
        headers={"task": "ocr.document", "id": job},
    )
redis = Redis(unix_socket_path=socket)
until = time.monotonic() + 30
while not (answer := redis.get(f"celery-task-meta-{job}")) and time.monotonic() < until:
    time.sleep(0.05)
print(answer.decode())
known = {name.partition(".")[0] for name in sys.modules}
assert not known & {"ocrqueue", "tasks", "tests", "worker_config", "celery"}
"""


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    with running() as stack:
        allowed = stack.folder / "inbox"
        allowed.mkdir()
        stack.start_documents(OCR_ALLOWED_SOURCES=str(allowed))
        stack.start_worker()
        yield stack


@pytest.fixture(scope="module")
def inbox(stack: Stack) -> Path:
    """A folder that the workers may read."""
    return stack.folder / "inbox"


def answer(stack: Stack, job: str) -> dict[str, Any]:
    """The result under the job's id in Redis; waits until the job has ended."""
    return json.loads(eventually(lambda: stack.redis.get(f"celery-task-meta-{job}")))


def test_a_program_that_knows_only_kombu(stack: Stack, inbox: Path) -> None:
    path = numbered.write(inbox / "letter.tif", 4)
    script = stack.folder / "service.py"
    script.write_text(SERVICE)
    job = str(uuid4())
    broker = stack.client().settings.redis
    started = time.time()
    run = subprocess.run(
        [sys.executable, "-I", str(script), broker, str(stack.socket), job, str(path)],
        cwd=inbox, env={"PATH": "/usr/bin:/bin"}, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    found = json.loads(run.stdout)
    seconds = found["result"].pop("seconds")
    assert 0 <= seconds <= time.time() - started + 0.001  # rounded to milliseconds
    assert (found["status"], found["task_id"]) == ("SUCCESS", job)
    assert found["result"] == {
        "job": job,
        "name": "letter.tif",
        "state": "done",
        "pages": 2,
        "counts": {"ok": 2, "failed": 0, "cancelled": 0},
        "quality": None,
        "poorly_read": 0,
        "error": None,
    }
    assert stack.client().job(job).text() == "page 2\n\fpage 3\n"


def test_the_raw_json_of_another_language(stack: Stack, inbox: Path) -> None:
    path = numbered.write(inbox / "scan.tif", 1)
    job = str(uuid4())
    arguments = {"source": {"path": str(path)}, "options": {}, "version": 1}
    body = base64.b64encode(json.dumps([[], arguments, {}]).encode()).decode()
    stack.redis.lpush("documents", ENVELOPE.replace("<base64>", body).replace("<job>", job))
    found = answer(stack, job)
    assert (found["status"], found["result"]["state"]) == ("SUCCESS", "done")
    assert stack.client().job(job).text() == "page 1\n"


def test_the_same_message_twice_is_one_job(stack: Stack, inbox: Path) -> None:
    path = numbered.write(inbox / "twice.tif", 3)
    job = str(uuid4())
    for _ in range(3):
        push(stack, [[], {"source": {"path": str(path)}}, {}], job=job)
    assert answer(stack, job)["result"]["counts"] == {"ok": 3, "failed": 0, "cancelled": 0}
    assert stack.client().ledger.jobs().count(job) == 1
    assert stack.text("worker").count(f"job={job} page=1 read") == 1


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"source": {"path": "/etc/hostname"}}, "source_not_allowed: this worker may not read '/etc/hostname'"),
        ({"source": {"path": "INBOX/../../etc/hostname"}}, "source_not_allowed: "),
        ({"source": {"path": "INBOX/none.tif"}}, "source_unreachable: "),
        ({"source": {"url": "http://127.0.0.1:1/a.tif"}}, "source_not_allowed: "),
        ({"source": {"url": "file:///etc/hostname"}}, "invalid_options: "),
        ({"source": {"spool": "../../../../etc/hostname"}}, "invalid_options: a source in the spool"),
        ({"source": {"spool": "source-" + 64 * "0"}}, "storage_error: "),
        ({"source": {"ftp": "host/a.tif"}}, "invalid_options: a source has the key path, url or spool"),
        ({"source": {"path": "/a", "url": "http://b/"}}, "invalid_options: source must be "),
        ({"source": "/a"}, "invalid_options: source must be "),
        ({"source": None}, "invalid_options: source must be "),
        ({"options": {}}, "invalid_options: source must be "),
        ({"source": {"path": "/a"}, "options": {"colour": "red"}}, "invalid_options: unknown option 'colour'"),
        ({"source": {"path": "/a"}, "options": {"dpi": "high"}}, "invalid_options: option dpi='high' is not allowed"),
        ({"source": {"path": "/a"}, "options": {"priority": []}}, "invalid_options: option priority=[]"),
        ({"source": {"path": "/a"}, "options": {"formats": [{}]}}, "invalid_options: option formats="),
        ({"source": {"path": "/a"}, "options": {"formats": None}}, "invalid_options: option formats=None is"),
        ({"source": {"path": "/a"}, "options": {"engine": None}}, "invalid_options: option engine=None is not allowed"),
        ({"source": {"path": "/a"}, "options": ["fresh"]}, "invalid_options: options must be an object"),
        ({"sauce": {"path": "/a"}}, "invalid_options: arguments that are not source, options, webhook and version"),
    ],
)  # fmt: skip
def test_wrong_arguments_are_answered_with_an_error(
    stack: Stack, inbox: Path, arguments: dict[str, Any], says: str
) -> None:
    given = json.loads(json.dumps(arguments).replace("INBOX", str(inbox)))
    job = push(stack, [[], given, {}])
    found = answer(stack, job)
    assert (found["status"], found["result"]["exc_type"]) == ("FAILURE", "OcrFailed")
    (message,) = found["result"]["exc_message"]
    assert message.startswith(says)
    assert "\n" not in message
    assert stack.client().job(job).status().state == "failed"


def test_positional_arguments_are_answered_with_an_error(stack: Stack) -> None:
    job = push(stack, [[{"path": "/a"}], {}, {}])
    assert answer(stack, job)["result"]["exc_message"][0].startswith("invalid_options: arguments that are not source")


@pytest.mark.parametrize("named", [{}, {"version": 1}])
def test_a_message_without_a_source_is_answered_with_an_error(stack: Stack, named: dict[str, Any]) -> None:
    job = push(stack, [[], named, {}])
    found = answer(stack, job)
    says = f"invalid_options: the message names no source, and there is no job {job}"
    assert (found["status"], found["result"]["exc_message"]) == ("FAILURE", [says])
    eventually(lambda: f"ocr.document[{job}] refused: {says}" in stack.text("documents"))
    assert job not in stack.client().ledger.jobs()


@pytest.mark.thorough
def test_an_unexpected_error_while_a_message_is_accepted_is_answered() -> None:
    with supervised() as stack:
        stack.start_documents(children=1)
        (stack.folder / "unforeseen").touch()
        job = push(stack, [[], {"source": {"path": "/a"}}, {}])
        found = answer(stack, job)
        assert found["status"] == "FAILURE"
        assert found["result"]["exc_message"] == ["internal_error: RuntimeError: the test wants it; see the worker log"]
        assert stack.client().job(job).status().state == "failed"
        assert "Traceback" in stack.text("documents")


@pytest.mark.parametrize("write", [str.upper, "{{{}}}".format, lambda job: job.replace("-", "")])
def test_a_uuid_written_in_another_way_is_answered_under_the_id_as_sent(
    stack: Stack, inbox: Path, write: Callable[[str], str]
) -> None:
    job = str(uuid4())
    sent = push(stack, [[], {"source": {"path": str(inbox / "none.tif")}}, {}], job=write(job))
    assert sent != job
    found = answer(stack, sent)
    assert (found["status"], found["task_id"], found["result"]["exc_type"]) == ("FAILURE", sent, "OcrFailed")
    (message,) = found["result"]["exc_message"]
    says = f"the job's id is {sent!r}, which is not a UUID in lower case: send it as {job!r}"
    assert message == f"invalid_options: {says}"
    assert job not in stack.client().ledger.jobs()


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ([[], {"source": 7}, {}], "ocr.document[JOB] refused: invalid_options"),
        ([[], {"version": 99}, {}], "ocr.document[JOB] refused: a message of version 99;"),  # a newer client's job
        ("a body that is a text", "ocr.document refused: a malformed message: its body"),
    ],
)
def test_a_wrong_message_does_not_change_an_existing_job(stack: Stack, inbox: Path, body: object, says: str) -> None:
    path = numbered.write(inbox / "mine.tif", 2)
    job = push(stack, [[], {"source": {"path": str(path)}}, {}])
    assert answer(stack, job)["status"] == "SUCCESS"
    start = len(stack.text("documents"))
    push(stack, body, job=job)
    eventually(lambda: says.replace("JOB", job) in stack.text("documents")[start:])
    assert answer(stack, job)["status"] == "SUCCESS"


PICKLED_FILE = Path(tempfile.gettempdir()) / "ocr-pickled"
PICKLE = f"cos\nsystem\n(S'touch {PICKLED_FILE}'\ntR.".encode()
PICKLED = "application/x-python-serialize"
SHAPE = "its body is not [[arguments], {named arguments}, {}]"
NO_TIME = "its header `{}` is no time in ISO 8601"
SOURCE = {"source": {"path": "/a"}}


@pytest.mark.parametrize("version", ["1", 0, 3, 99, True, None])
def test_a_message_of_a_wrong_version_is_answered_with_an_error(stack: Stack, version: object) -> None:
    says = f"a message of version {version!r}; this worker reads 1 to {VERSION}: send one of them, or upgrade it"
    refused(stack, push(stack, [[], {**SOURCE, "version": version}, {}]), says)


@pytest.mark.parametrize("id", ["my-id-1", "../../x"])
def test_a_message_whose_id_is_no_uuid_is_answered_with_an_error(stack: Stack, id: str) -> None:
    refused(stack, push(stack, [[], SOURCE, {}], job=id), f"the job's id is {id!r}, which is not a UUID in lower case")


@pytest.mark.parametrize(
    ("body", "changes", "says"),
    [
        (PICKLE, {"content-type": PICKLED}, f"Refusing to deserialize untrusted content of type pickle ({PICKLED})"),
        (b"not JSON", {}, "Expecting value: line 1 column 1 (char 0)"),
        *((body, {}, SHAPE) for body in (["of", "two"], [[], {}], SOURCE, "word", 19, None, [[], 5, {}], [5, {}, {}])),
        *(([[], SOURCE, {}], {name: time}, NO_TIME.format(name))
          for name in ("eta", "expires") for time in ("nonsense", "", 5)),
    ],
)  # fmt: skip
def test_a_malformed_message_is_answered_with_an_error(
    stack: Stack, body: object, changes: dict[str, Any], says: str
) -> None:
    job = str(uuid4())
    if not changes.keys() <= {"content-type"}:
        changes = {"headers": {"task": "ocr.document", "id": job, **changes}}
    refused(stack, push(stack, body, job=job, **changes), f"a malformed message: {says}")
    assert not PICKLED_FILE.exists()


def refused(stack: Stack, job: str, says: str) -> None:
    """Wait for the answer to a message, of which no job was made, and compare it."""
    found = answer(stack, job)
    assert (found["status"], found["result"]["exc_message"]) == ("FAILURE", [f"invalid_options: {says}"])
    eventually(lambda: f"refused: {says}" in stack.text("documents"))
    assert job not in stack.client().ledger.jobs()


JOB = "0e9f3a0e-0d9b-4b62-8f0c-6ad1a1a0b1c2"
TAG = {"delivery_tag": "1", "body_encoding": "base64", "delivery_info": {"exchange": "", "routing_key": "documents"}}
BAD: list[tuple[str, str, Callable[[Stack], object]]] = [
    # (worker whose log contains the text, the text, function that sends the message)
    ("documents", f"the job's id is {JOB.upper()!r}", lambda s: push(s, [[], {}, {}], job=JOB.upper())),
    ("documents", "not (job, round): ['a']", lambda s: push(s, [["a"], {}, {}], "ocr.assemble")),
    ("documents", "not (job, round): ['a', '1']", lambda s: push(s, [["a", "1"], {}, {}], "ocr.assemble")),
    ("documents", "the job's id is ['b']", lambda s: push(s, [[["b"], 1], {}, {}], "ocr.assemble")),
    ("documents", "not (job, format): ['c', 'exe']", lambda s: push(s, [["c", "exe"], {}, {}], "ocr.format")),
    ("documents", "not (job, format): ['c', {}]", lambda s: push(s, [["c", {}], {}, {}], "ocr.format")),
    ("documents", f"job={JOB}: the format text could not be made: no job",
     lambda s: push(s, [[JOB, "text"], {}, {}], "ocr.format")),
    ("worker", "not (job, lane, serial): []", lambda s: push(s, [[], {}, {}], "ocr.page", queue="pages.numbered")),
    ("worker", "not (job, lane, serial): ['d', -1, 0]",
     lambda s: push(s, [["d", -1, 0], {}, {}], "ocr.page", queue="pages.numbered")),
    ("worker", "the job's id is 'e'", lambda s: push(s, [["e", 0, 0], {}, {}], "ocr.page", queue="pages.numbered")),
    ("worker", "'more'", lambda s: push(s, [["f", 0, 0], {"more": 1}, {}], "ocr.page", queue="pages.numbered")),
    # refused before Celery creates a task
    ("documents", SHAPE, lambda s: push(s, ["of", "two"], "ocr.reconcile")),
    ("documents", "`id` is no text", lambda s: push(s, [[], {}, {}], headers={"task": "ocr.document", "id": None})),
    ("documents", "`id` is no text", lambda s: push(s, [[], {}, {}], headers={"task": "ocr.document"})),
    ("documents", "`id` is no text", lambda s: push(s, [[], {}, {}], headers={"task": "ocr.document", "id": [1]})),
    ("documents", "there is no task 'ocr.nothing'", lambda s: push(s, [[], {}, {}], "ocr.nothing", JOB)),
    ("documents", "it names no task", lambda s: push(s, [[], {}, {}], headers={"no task": 1})),
    ("documents", "task \"['a']\": TypeError", lambda s: push(s, [[], {}, {}], headers={"task": ["a"], "id": "x"})),
    ("worker", "unhashable type: 'dict'",
     lambda s: push(s, [[], {}, {}], "ocr.page", queue="pages.numbered", **{"content-type": {"a": 1}})),
    ("worker", "'NoneType' object has no attribute 'decode'",
     lambda s: push(s, [[], {}, {}], "ocr.page", queue="pages.numbered", properties=TAG | {"body_encoding": "x"})),
    ("documents", "ocr.trim': AttributeError: 'str' object has no attribute 'get'",
     lambda s: push(s, [[], {}, {}], "ocr.trim", queue="maintenance", properties=TAG | {"delivery_info": "x"})),
    *[("documents", "header `shadow` is no text",  # each kept the place of a child
       lambda s: push(s, [[], {}, {}], headers={"task": "ocr.trim", "id": "x", "shadow": {"a": 1}}))] * 3,
    # refused before kombu makes a message
    ("worker", "JSONDecodeError", lambda s: s.redis.lpush("pages.numbered", "hello")),
    ("documents", "list indices", lambda s: s.redis.lpush("documents", "[]")),
    ("documents", "KeyError: 'properties'", lambda s: s.redis.lpush("maintenance", "{}")),
    ("documents", "dropped: TypeError: unhashable type: 'list'",
     lambda s: push(s, [[], {}, {}], queue="documents", properties=TAG | {"delivery_tag": [1]})),
    ("documents", "RecursionError", lambda s: s.redis.lpush("documents", "[" * 100_000)),
    ("worker", "a bytes-like object",
     lambda s: s.redis.lpush("pages.numbered", json.dumps({"body": {"a": 1}, "properties": TAG}))),
    ("worker", "KeyError: 'delivery_tag'", lambda s: s.redis.publish("/0.celery.pidbox", '{"properties": {}}')),
]  # fmt: skip


def test_foreign_and_malformed_messages_are_refused_and_the_workers_go_on(stack: Stack, inbox: Path) -> None:
    start = {name: len(stack.text(name)) for name in ("documents", "worker")}
    dropped = int(stack.redis.hget(names.FIGURES, "event messages dropped") or 0)
    jobs, keys = set(stack.client().ledger.jobs()), set(stack.redis.keys("celery-task-meta-*"))
    for _, _, send in BAD:
        send(stack)
    for where, says, _ in BAD:
        wanted = sum(where == w and says == t for w, t, _ in BAD)
        eventually(lambda w=where, t=says, n=wanted: stack.text(w)[start[w] :].count(t) == n)  # type: ignore[misc]
    path = numbered.write(inbox / "after.tif", 4)
    job = push(stack, [[], {"source": {"path": str(path)}}, {}])
    assert answer(stack, job)["status"] == "SUCCESS"
    assert set(stack.client().ledger.jobs()) - jobs == {job}
    answered = {f"celery-task-meta-{i}" for i in (job, JOB, JOB.upper())}  # JOB by Celery: no such task
    assert set(stack.redis.keys("celery-task-meta-*")) - keys == answered
    for name in ("documents", "worker"):
        assert stack.processes[name].poll() is None
        log = stack.text(name)[start[name] :]
        assert "Traceback" not in log
    assert int(stack.redis.hget(names.FIGURES, "event messages dropped") or 0) - dropped >= 16


def test_a_sender_cannot_set_time_limits(stack: Stack, inbox: Path) -> None:
    path = numbered.write(inbox / "limits.tif", 1)
    job = str(uuid4())
    headers = {"task": "ocr.document", "id": job, "timelimit": "none", "expires": "2001-01-01T00:00:00Z"}
    push(stack, [[], {"source": {"path": str(path)}}, {}], headers=headers)
    assert answer(stack, job)["status"] == "SUCCESS"
