"""The commands of a user who has only the URL of the HTTP API: Redis and the spool are out of reach."""

import json
import re
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ocrqueue.web.keys import Right
from tests.support import numbered
from tests.support.harness import NUMBERED, Stack, free_port, running
from tests.support.web import Web, new_key, start_web

pytestmark = pytest.mark.timeout(180)
_MODULES = """
import sys
from ocrqueue.cli import main
code = main(sys.argv[1:])
print("modules:", *sorted({"celery", "kombu"} & sys.modules.keys()), file=sys.stderr)
sys.exit(code)
"""


class Served(Stack):
    """A stack with a web process, and the environment of a user elsewhere."""

    web: Web
    user: dict[str, str]


@pytest.fixture(scope="module")
def stack() -> Iterator[Served]:
    with running(Served, OCR_WORKER_ENGINES=NUMBERED) as stack:
        stack.start_documents(children=1)
        stack.start_worker()
        stack.web = start_web(stack)
        elsewhere = {"REDIS_URL": f"redis://127.0.0.1:{free_port()}/0", "OCR_DATA_DIR": str(stack.folder / "none")}
        stack.user = {**stack.env, **elsewhere, "OCR_API_URL": f"{stack.web.url}/"}
        yield stack


def test_a_document_is_read_and_its_pdf_fetched(stack: Served, tmp_path: Path) -> None:
    scan = numbered.write(tmp_path / "scan.tif", 2)
    done = stack.submit("ocr", str(scan), "--engine", "numbered", env=stack.user)
    assert (done.returncode, done.stdout) == (0, "page 1\n\fpage 2\n"), done.stderr
    assert "scan.tif: done, 2 of 2 pages" in done.stderr
    files = stack.submit(
        "ocr",
        str(scan),
        "--engine",
        "numbered",
        "-f",
        "pdf",
        "-f",
        "json",
        "-o",
        str(tmp_path),
        "--json",
        env=stack.user,
    )
    assert files.returncode == 0, files.stderr
    job = json.loads(files.stdout)["job"]
    assert (tmp_path / "scan.ocr.pdf").read_bytes().startswith(b"%PDF-")
    assert json.loads((tmp_path / "scan.json").read_text())["job"] == job
    fetched = stack.submit("result", job, "-f", "pdf", "-o", str(tmp_path / "again.pdf"), env=stack.user)
    assert fetched.returncode == 0, fetched.stderr
    assert (tmp_path / "again.pdf").read_bytes() == (tmp_path / "scan.ocr.pdf").read_bytes()
    assert not (stack.folder / "none").exists()


@pytest.mark.thorough
def test_jobs_are_shown_cancelled_retried_and_dropped(stack: Served, tmp_path: Path) -> None:
    scan = numbered.write(tmp_path / "part.tif", 3, {2: numbered.RAISE})
    job = stack.submit("ocr", str(scan), "--engine", "numbered", "--no-wait", env=stack.user).stdout.strip()
    for command, code, said in (
        (["wait", job], 3, ""),
        (["status", job], 3, f"{job}  part.tif: partial, 2 of 3 pages, 1 failed"),
        (["jobs", "--state", "partial"], 0, job),
        (["dead"], 0, f"{job}  part.tif: page 2: engine_error"),
        (["cancel", job], 0, f"{job}: no page was left to cancel"),
        (["retry", job], 0, f"{job}: queued again"),
        (["wait", job], 3, ""),
        (["drop", job], 0, f"{job}: dropped"),
    ):
        done = stack.submit(*command, env=stack.user)
        assert done.returncode == code, (command, done.stderr)
        assert said in done.stdout
    gone = stack.submit("status", job, env=stack.user)
    assert (gone.returncode, gone.stderr.startswith("error: unknown_job: ")) == (4, True)


def test_celery_is_not_loaded(stack: Served, tmp_path: Path) -> None:
    scan = numbered.write(tmp_path / "a.tif", 1)
    command = ["ocr", str(scan), "--engine", "numbered"]
    process = stack.spawn("loaded", [sys.executable, "-c", _MODULES, *command], **stack.user)
    assert process.wait(60) == 0, stack.text("loaded")
    assert "page 1" in stack.text("loaded")
    assert re.search(r"^modules:$", stack.text("loaded"), re.MULTILINE)


def test_doctor_checks_the_api_only(stack: Served) -> None:
    done = stack.submit("doctor", env=stack.user)
    assert done.returncode == 0, done.stdout
    assert [line.split(maxsplit=1)[0] for line in done.stdout.splitlines()] == ["ok", "ok", "ok"]
    for word in ("answers at", "is ready", "asks for no key"):
        assert word in done.stdout
    away = stack.submit("doctor", env={**stack.user, "OCR_API_URL": f"http://127.0.0.1:{free_port()}"})
    assert away.returncode == 4
    assert away.stdout.startswith("wrong  the HTTP API at http://127.0.0.1:")
    wrong = stack.submit("doctor", env={**stack.user, "OCR_API_URL": "host:8000"})
    assert (wrong.returncode, wrong.stderr.count("\n")) == (2, 1)
    assert "OCR_API_URL='host:8000' is not allowed: a URL such as http://host:8000" in wrong.stderr


@pytest.mark.thorough
def test_a_server_that_is_silent_from_the_start_delays_no_timeout(stack: Served) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        user = {**stack.user, "OCR_API_URL": f"http://127.0.0.1:{silent.getsockname()[1]}"}
        started = time.monotonic()
        done = stack.submit("wait", "0" * 32, "--timeout", "2", env=user)
    assert (done.returncode, "does not answer" in done.stderr) == (6, True), done.stderr
    assert time.monotonic() - started < 30, "a request may take a minute, and is made four times"


@pytest.mark.thorough
def test_doctor_on_the_machine_of_the_api_finds_it_too(stack: Served) -> None:
    done = stack.submit("doctor", env={**stack.env, "OCR_HTTP_PORT": str(stack.web.port)})
    assert f"ok     the HTTP API answers at {stack.web.url}" in done.stdout
    done = stack.submit("doctor", env={**stack.env, "OCR_HTTP_PORT": str(free_port())})
    assert "note   the HTTP API does not run at" in done.stdout


def test_a_key_is_sent_from_the_environment(stack: Served, tmp_path: Path) -> None:
    stack.env["OCR_API_KEYS"] = str(stack.folder / "keys.json")
    try:
        key, submitter = new_key(stack, "mine"), new_key(stack, "submitter", Right.SUBMIT)
        web = start_web(stack, "keyed")
    finally:
        del stack.env["OCR_API_KEYS"]
    user = {**stack.user, "OCR_API_URL": web.url}
    for given, code, said in (
        ({}, 0, "note   the HTTP API asks for a key, and OCR_API_KEY is not set"),
        ({"OCR_API_KEY": key}, 0, "ok     the HTTP API takes the key"),
        ({"OCR_API_KEY": submitter}, 0, "note   the API key of OCR_API_KEY may submit documents, but see no jobs"),
        ({"OCR_API_KEY": "ocr_wrong"}, 4, "wrong  the HTTP API: the API key is wrong or revoked"),
    ):
        done = stack.submit("doctor", env={**user, **given})
        assert (done.returncode, said in done.stdout) == (code, True), done.stdout
    scans = [str(numbered.write(tmp_path / name, 1)) for name in ("a.tif", "b.tif")]
    before = set(stack.client().ledger.jobs())
    made = stack.submit("ocr", *scans, "--json", "-o", str(tmp_path), env={**user, "OCR_API_KEY": submitter})
    jobs = [json.loads(line)["job"] for line in made.stdout.splitlines()]
    assert (made.returncode, set(jobs)) == (4, set(stack.client().ledger.jobs()) - before)
    assert made.stderr.splitlines() == [
        f"error: {scan}: key_rights: submitted as {job}: this API key may not read it; use --no-wait"
        for scan, job in zip(scans, jobs, strict=True)
    ]
    refused = stack.submit("jobs", env=user)
    assert (refused.returncode, refused.stderr.startswith("error: key_missing: an API key is required")) == (4, True)
