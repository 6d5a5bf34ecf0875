"""The command line with a real Redis and a real spool. The tests do the work of the workers through the ledger."""

import io
import json
import os
import re
import resource
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import pytest
from redis import Redis

from ocrqueue.cli import main
from ocrqueue.client import Client
from ocrqueue.errors import PageError
from tests.support.command_line import settings_of
from tests.support.harness import PROJECT
from tests.support.player import Reader
from tests.support.signals import default_sigint, in_background

Output = pytest.CaptureFixture[str]


@pytest.fixture
def client(redis: Redis, redis_server: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Client]:
    with settings_of(redis_server, tmp_path, monkeypatch) as client:
        yield client


@contextmanager
def working(client: Client, pages: int = 3) -> Iterator[None]:
    """Read every job until the block ends.

    A document named "broken" fails; page 2 of one named "partial" fails; all pages of one named "long" are cut off.
    """
    over = threading.Event()

    def work() -> None:
        seen: set[str] = set()
        while not over.wait(0.05):
            for job in set(client.ledger.jobs()) - seen:
                seen.add(job)
                name = client.ledger.job(job).source.name
                reader = Reader(client, client.job(job))
                if "broken" in name:
                    reader.refuse(PageError("corrupt_file", "it is torn; send another"))
                    continue
                reader.open(pages)
                reader.read([2] if "partial" in name else [], range(1, pages + 1) if "long" in name else [])

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def test_one_document_goes_to_standard_output(client: Client, capsys: Output) -> None:
    with working(client, pages=1):
        assert main(["ocr", "scan.pdf"]) == 0
    out, err = capsys.readouterr()
    assert out == "page 1\n"
    assert "scan.pdf: done, 1 of 1 page" in err
    assert list(Path().iterdir()) == [Path("scan.pdf")]


def test_several_documents_go_to_files_and_the_worst_end_decides_the_exit_code(client: Client, capsys: Output) -> None:
    for name in ("partial.pdf", "broken.pdf"):
        Path(name).write_bytes(b"abc")
    with working(client):
        assert main(["ocr", "scan.pdf", "partial.pdf", "broken.pdf", "-o", "out", "-f", "text", "-f", "json"]) == 4
    out, err = capsys.readouterr()
    assert out == ""
    assert "error: partial.pdf: page 2: engine_error: the engine failed" in err
    assert "error: broken.pdf: corrupt_file: it is torn; send another\n" in err
    assert sorted(p.name for p in Path("out").iterdir()) == ["partial.json", "partial.txt", "scan.json", "scan.txt"]
    assert json.loads(Path("out", "scan.json").read_text())["state"] == "done"


def test_one_document_in_one_format_goes_where_o_says_and_else_to_standard_output(
    client: Client, capsys: Output
) -> None:
    Path("folder.txt").mkdir()
    with working(client, pages=1):
        for arguments in ("-o new/x.txt", "-o folder.txt", "-f json -o X.JSON", "-o -", "-f jsonl", "-o a/ -f text"):
            assert main(["ocr", "scan.pdf", *arguments.split()]) == 0
    out = capsys.readouterr().out
    assert out.startswith("page 1\n{")
    assert json.loads(out.splitlines()[1])["page"] == 1
    written = {str(path) for path in Path().rglob("*") if path.is_file()}
    assert written == {"scan.pdf", "new/x.txt", "folder.txt/scan.txt", "X.JSON", "a/scan.txt"}
    (job, *_) = client.ledger.jobs()
    assert main(["result", job, "-o", "-"]) == 0
    assert capsys.readouterr().out == "page 1\n"


def test_a_terminal_gets_only_formats_for_reading(
    client: Client, capsys: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    with working(client, pages=1):
        for name in ("json", "text", "markdown"):
            assert main(["ocr", "scan.pdf", "-f", name]) == 0
    text, _, markdown = capsys.readouterr().out.partition("\n")
    assert text == "page 1"
    assert "page 1" in markdown
    assert json.loads(Path("scan.json").read_text())["state"] == "done"
    assert main(["ocr", "scan.pdf", "-f", "pdf", "-o", "-"]) == 2
    capsys.readouterr()
    assert main(["result", client.ledger.jobs()[0], "-f", "pdf"]) == 2
    assert "-o" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["jobs", "--help"])
def test_a_reader_that_closes_the_output_ends_the_command_as_other_tools_end(client: Client, command: str) -> None:
    client.submit(b"abc", name="a")
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "wb") as closed:
        run = subprocess.run(
            [sys.executable, PROJECT / "submit.py", command], stdout=closed, stderr=subprocess.PIPE, check=False
        )
    assert (run.returncode, run.stderr) == (141, b"")


def test_a_partial_job_gives_its_text_and_exit_code_3(client: Client, capsys: Output) -> None:
    Path("partial.pdf").write_bytes(b"abc")
    with working(client):
        assert main(["ocr", "partial.pdf"]) == 3
    assert capsys.readouterr().out == "page 1\n\f\fpage 3\n"


def test_json_prints_an_object_per_source(client: Client, capsys: Output) -> None:
    Path("broken.pdf").write_bytes(b"abc")
    Path("empty.pdf").touch()
    with working(client):
        assert main(["ocr", "scan.pdf", "broken.pdf", "empty.pdf", "--json"]) == 4
    found = {o["source"]: o for o in map(json.loads, capsys.readouterr().out.splitlines())}
    assert found["scan.pdf"]["state"] == "done"
    assert found["scan.pdf"]["files"] == ["scan.txt"]
    assert found["scan.pdf"]["error"] is None
    assert found["broken.pdf"]["error"]["code"] == "corrupt_file"
    assert found["broken.pdf"]["error"]["message"].startswith("it is torn")
    assert found["empty.pdf"]["job"] is None
    assert found["empty.pdf"]["error"]["code"] == "empty_file"


def test_folders_below_are_mirrored_below_the_output_folder(client: Client, capsys: Output) -> None:
    for name in ("in/a.pdf", "in/x/a.pdf", "in/x/y/a.pdf", "in/z/a.pdf"):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_bytes(name.encode())
    with working(client, pages=1):
        assert main(["ocr", "-r", "in", "-o", "out"]) == 0
    written = sorted(str(path) for path in Path("out").rglob("*") if path.is_file())
    assert written == ["out/a.txt", "out/x/a.txt", "out/x/y/a.txt", "out/z/a.txt"]


def test_a_failed_document_is_reported_once(client: Client, capsys: Output) -> None:
    Path("broken.pdf").write_bytes(b"abc")
    with working(client):
        assert main(["ocr", "broken.pdf"]) == 4
    assert capsys.readouterr().err.count("corrupt_file") == 1


def test_pages_that_do_not_exist_are_named(client: Client, capsys: Output) -> None:
    with working(client, pages=1):
        assert main(["ocr", "scan.pdf", "--pages", "1,99", "--json"]) == 0
    out, err = capsys.readouterr()
    assert json.loads(out)["missing_pages"] == "99"
    assert "warning: scan.pdf: the document has no page 99\n" in err
    (job,) = client.ledger.jobs()
    for command in ("status", "wait", "result"):
        assert main([command, job]) == 0
        assert "no page 99" in capsys.readouterr().err
    assert main(["status", job, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["missing_pages"] == "99"


def test_pages_whose_text_was_cut_off_are_named(client: Client, capsys: Output) -> None:
    Path("long.pdf").write_bytes(b"abc")
    with working(client, pages=22):
        assert main(["ocr", "scan.pdf"]) == 0
        assert "warning" not in capsys.readouterr().err
        assert main(["ocr", "long.pdf", "-f", "markdown", "--json"]) == 0
    out, err = capsys.readouterr()
    printed = json.loads(out)
    found = printed["warnings"]
    assert (len(found), found[1]) == (22, {"page": 2, "code": "cut_off", "message": "the text was cut off"})
    assert "warning: long.pdf: page 20: cut_off: the text was cut off\n" in err
    assert "page 21" not in err
    assert "warning: long.pdf: 2 more pages have warnings; `-f json` lists them\n" in err
    assert "<!-- page 3: cut_off -->\n\npage 3\n" in Path("long.md").read_text()
    for command in ("status", "wait", "result"):
        assert main([command, printed["job"]]) == 0
        assert "page 20: cut_off" in capsys.readouterr().err
    assert main(["status", printed["job"], "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["warnings"] == found


def test_standard_input_is_a_document(client: Client, capsys: Output, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"abc")))
    with working(client, pages=1):
        assert main(["ocr", "-"]) == 0
    assert capsys.readouterr().out == "page 1\n"


def test_no_wait_prints_only_the_ids(client: Client, capsys: Output) -> None:
    Path("scan.png").write_bytes(b"abc")
    assert main(["ocr", "scan.pdf", "scan.png", "--no-wait", "--priority", "high"]) == 0
    assert capsys.readouterr().out.split() == client.ledger.jobs()


def test_the_job_continues_after_a_timeout(client: Client, capsys: Output) -> None:
    assert main(["ocr", "scan.pdf", "--timeout", "0.2"]) == 5
    (job,) = client.ledger.jobs()
    err = capsys.readouterr().err
    assert job in err
    assert "no worker opens documents; start one with `make up`" in err
    assert main(["wait", job, "--timeout", "0"]) == 5


def test_a_full_queue_is_exit_code_6(client: Client, capsys: Output, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OCR_MAX_QUEUED_PAGES", "10")
    for name in ("b.pdf", "c.pdf"):
        Path(name).write_bytes(b"abc")
    assert main(["ocr", "scan.pdf", "b.pdf", "c.pdf", "--no-wait"]) == 6
    out, err = capsys.readouterr()
    assert len(out.split()) == 1
    assert "error: b.pdf: queue_full: " in err
    assert "1 more document was not submitted" in err


def test_a_key_of_another_document_is_wrong_usage(client: Client, capsys: Output) -> None:
    assert main(["ocr", "scan.pdf", "--key", "k", "--no-wait"]) == 0
    assert main(["ocr", "scan.pdf", "--key", "k", "--no-wait"]) == 0
    first, second = capsys.readouterr().out.split()
    assert first == second
    assert main(["ocr", "scan.pdf", "--key", "k", "--no-wait", "--dpi", "300"]) == 2
    assert "the key 'k' belongs to job" in capsys.readouterr().err


def test_a_password_comes_from_a_file(client: Client, capsys: Output) -> None:
    Path("secret").write_bytes(b"open sesame \n")
    assert main(["ocr", "scan.pdf", "--no-wait", "--password-file", "secret"]) == 0
    assert client.spool.read_password(capsys.readouterr().out.strip()) == "open sesame "


def test_status_result_dead_and_drop_of_a_job(client: Client, capsys: Output) -> None:
    Path("partial.pdf").write_bytes(b"abc")
    job = client.submit(Path("partial.pdf"))
    assert main(["status", job.id, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["job"] == job.id
    assert main(["result", job.id]) == 5
    assert "wait for it" in capsys.readouterr().err
    with working(client):
        assert main(["wait", job.id]) == 3
    capsys.readouterr()
    assert main(["result", job.id, "-f", "markdown", "-o", "out.md"]) == 3
    assert "page 3" in Path("out.md").read_text()
    assert main(["result", job.id, "-o", "none/out.md"]) == 2
    capsys.readouterr()
    assert main(["dead", "--json"]) == 0
    dead = json.loads(capsys.readouterr().out)
    assert (dead["job"], dead["page"], dead["code"], dead["name"]) == (job.id, 2, "engine_error", "partial.pdf")
    assert main(["drop", job.id, str(uuid4())]) == 4
    out, err = capsys.readouterr()
    assert "dropped" in out
    assert "unknown_job" in err
    assert client.ledger.jobs() == []


def test_an_empty_list_is_reported_on_stderr(client: Client, capsys: Output) -> None:
    for command, answer in (
        (["dead"], "no failed page waits for a retry"),
        (["jobs"], "there are no jobs"),
        (["jobs", "--state", "done", "--json"], "no job is done"),
        (
            ["webhooks", "list"],
            "no delivery: a job has some if it names a URL, as with `--webhook URL`",
        ),
        (["webhooks", "list", "--state", "failed", "--json"], "no delivery is failed"),
    ):
        assert main(command) == 0
        assert capsys.readouterr() == ("", answer + "\n")


def test_jobs_are_listed_by_state(client: Client, capsys: Output) -> None:
    kept, cancelled = client.submit(b"abc", name="a"), client.submit(b"abc", name="b\x1b[2J")
    assert main(["cancel", cancelled.id]) == 0
    reader = Reader(client, cancelled)
    reader.open(1)
    reader.read()
    capsys.readouterr()
    assert main(["jobs", "--state", "cancelled"]) == 0
    out = capsys.readouterr().out
    assert cancelled.id in out
    assert kept.id not in out
    assert main(["retry", cancelled.id]) == 0
    assert main(["retry", kept.id]) == 4
    assert main(["jobs", "--json"]) == 0
    assert [json.loads(line)["job"] for line in capsys.readouterr().out.splitlines()[1:]] == [cancelled.id, kept.id]


def test_jobs_are_listed_newest_first_by_name_and_up_to_a_limit(client: Client, capsys: Output) -> None:
    first, second, other = (client.submit(b"abc", name=name) for name in ("Invoice 1", "invoice\x1b[2J 2", "letter"))
    for arguments, expected in (([], [other, second, first]), (["--limit", "2"], [other, second])):
        assert main(["jobs", *arguments]) == 0
        assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == [job.id for job in expected]
    assert main(["jobs", "--name", "INVOICE"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert re.match(first.id + r"  \d{4}-\d\d-\d\d \d\d:\d\d  Invoice 1: queued", lines[1])
    assert "invoice[2J 2: queued" in lines[0]
    assert main(["jobs", "--name", "no such"]) == 0
    assert capsys.readouterr().err == "there is no job with 'no such' in its name\n"


def test_after_many_documents_one_line_says_how_many_were_read(client: Client, capsys: Output) -> None:
    for name in ("a/scan.pdf", "b/broken.pdf", "b/partial.pdf", "b/empty.pdf"):
        Path(name).parent.mkdir(exist_ok=True)
        Path(name).write_bytes(b"abc" if "empty" not in name else b"")
    with working(client):
        assert main(["ocr", "a/scan.pdf", "b", "-o", "out"]) == 4
        said = capsys.readouterr().err.splitlines()
        assert main(["ocr", "a/scan.pdf", "b", "-o", "out", "-q"]) == 4
    assert said[-1] == "1 read; 1 failed: b/broken.pdf; 1 not submitted: b/empty.pdf; 1 partial: b/partial.pdf"
    assert "a/scan.pdf: done, 3 of 3 pages" in said
    assert {line.split(":")[0] for line in capsys.readouterr().err.splitlines()} == {"error"}


def test_waiting_tells_jobs_of_the_same_name_apart(client: Client, capsys: Output) -> None:
    jobs = [client.submit(b"abc", name=name).id for name in ("scan.pdf", "scan.pdf", "other.pdf")]
    with working(client, pages=1):
        assert main(["wait", *jobs]) == 0
    ends = {line.partition(":")[0] for line in capsys.readouterr().err.splitlines()}
    assert ends == {f"scan.pdf ({jobs[0]})", f"scan.pdf ({jobs[1]})", "other.pdf"}


def started() -> "subprocess.Popen[str]":
    """`submit.py ocr scan.pdf`, which waits for its job."""
    process = subprocess.Popen(
        [sys.executable, PROJECT / "submit.py", "ocr", "scan.pdf"],
        stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=os.environ,
    )  # fmt: skip
    assert process.stderr
    assert "scan.pdf: queued" in process.stderr.readline()
    return process


def test_a_command_in_the_background_ignores_sigint_and_ends_at_sigterm(client: Client) -> None:
    with in_background():
        process = started()
    process.send_signal(signal.SIGINT)
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=20)
    assert process.returncode == -signal.SIGTERM
    assert "interrupted" not in err
    assert len(client.ledger.jobs()) == 1


def test_ctrl_c_names_the_job_that_continues(client: Client) -> None:
    with default_sigint():
        process = started()
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=20)
    (job,) = client.ledger.jobs()
    assert process.returncode == 130
    assert f"the job continues: {job}" in err
    assert "Traceback" not in err
    assert out == ""


def test_ctrl_c_during_a_submission_names_the_job(client: Client) -> None:
    program = (
        "import os, signal, sys; from ocrqueue.cli import main; from ocrqueue.client import Client\n"
        "Client.send = lambda *_: os.kill(os.getpid(), signal.SIGINT)\n"  # the record exists, the message is not sent
        "sys.exit(main(['ocr', 'scan.pdf']))"
    )
    env = os.environ | {"PYTHONPATH": str(PROJECT)}
    with default_sigint():
        run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=30, env=env)
    (job,) = client.ledger.jobs()
    assert run.returncode == 130
    assert run.stderr.splitlines()[-1].startswith(f"interrupted: the job continues: {job} ")
    assert "Traceback" not in run.stderr


def test_an_output_that_cannot_be_written_is_one_line(client: Client) -> None:
    with Path("out").open("wb") as out:
        run = subprocess.run(
            [sys.executable, PROJECT / "submit.py", "--help"],
            stdout=out, stderr=subprocess.PIPE, text=True, timeout=30,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0)),
        )  # fmt: skip
    assert run.returncode == 2
    assert run.stderr.splitlines() == [
        "error: the output cannot be written (File too large); correct that, or name a file with -o"
    ]
