"""The commands of a user, with a real stack and the default engine."""

import json
import uuid
from pathlib import Path

import pytest

from tests.support.harness import PROJECT, Stack
from tests.support.thorough import thorough_but

DATA = PROJECT / "tests" / "data"
SCAN = DATA / "scan.pdf"
PASSWORD = "secret"


def test_text_goes_to_standard_output_and_progress_to_stderr(stack: Stack) -> None:
    done = stack.submit("ocr", str(SCAN))
    assert done.returncode == 0, done.stderr
    pages = done.stdout.split("\f")
    assert len(pages) == 4
    assert "scan.pdf" in done.stderr
    truth = (DATA / "scan.txt").read_text().split("\f")
    for read, true in zip(pages, truth, strict=True):
        common = set(read.split()) & set(true.split())
        assert len(common) > 0.9 * len(set(true.split()))


def test_a_job_by_its_id(stack: Stack, tmp_path: Path) -> None:
    sent = stack.submit("ocr", str(SCAN), "--pages", "3", "--no-wait")
    job = sent.stdout.strip()
    assert str(uuid.UUID(job)) == job
    assert stack.submit("wait", job).returncode == 0
    status = json.loads(stack.submit("status", job, "--json").stdout)
    assert (status["state"], status["pages"], status["ok"]) == ("done", 1, 1)
    result = json.loads(stack.submit("result", job, "-f", "json").stdout)
    assert result["schema"] == "ocr-queue/1"
    assert result["source"]["pages"] == 4
    assert [p["page"] for p in result["pages"]] == [3]
    (page,) = result["pages"]
    assert (page["engine"], page["model"], page["dpi"], page["origin"]) == ("rapidocr", "pp-ocrv6-small", 200, "ocr")
    assert page["memory"]["rss"] > 50_000_000
    assert all(len(line["box"]) == 4 and 0 <= line["confidence"] <= 1 for line in page["lines"])
    assert stack.submit("result", job, "-f", "jsonl", "-o", str(tmp_path / "x.jsonl")).returncode == 0
    assert json.loads((tmp_path / "x.jsonl").read_text())["page"] == 3
    assert job in stack.submit("jobs", "--state", "done").stdout
    assert stack.submit("retry", job).returncode == 4
    assert stack.submit("drop", job).returncode == 0
    gone = stack.submit("status", job)
    assert gone.returncode == 4
    assert len(gone.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("name", "code"),
    thorough_but(
        2,
        [
            ("truncated_50.png", "corrupt_file"),
            ("enc_aes256_user.pdf", "password_required"),
            ("zero_pages.pdf", "empty_document"),
            ("only_header.pdf", "corrupt_file"),
            ("zip_named.pdf", "unsupported_format"),
            ("html.pdf", "unsupported_format"),
            ("bomb_60000x60000_g4.tif", "too_large"),
            ("page_tree_bomb.pdf", "corrupt_file|too_many_pages"),
        ],
    ),
)
def test_bad_input_is_answered_in_one_line(stack: Stack, name: str, code: str) -> None:
    done = stack.submit("ocr", str(DATA / "bad" / name))
    assert done.returncode == 4
    errors = [line for line in done.stderr.splitlines() if "error" in line]
    assert len(errors) == 1, done.stderr
    assert any(c in errors[0] for c in code.split("|")), errors[0]
    assert "Traceback" not in done.stderr


def test_an_empty_file_and_a_missing_file(stack: Stack, tmp_path: Path) -> None:
    (tmp_path / "empty.pdf").touch()
    empty = stack.submit("ocr", str(tmp_path / "empty.pdf"))
    assert empty.returncode == 4
    assert "empty_file" in empty.stderr
    missing = stack.submit("ocr", str(tmp_path / "none.pdf"))
    assert missing.returncode in (2, 4)
    assert "none.pdf" in missing.stderr
    assert "Traceback" not in missing.stderr + empty.stderr


@pytest.mark.thorough
def test_an_encrypted_document_with_its_password(stack: Stack, tmp_path: Path) -> None:
    (tmp_path / "password").write_text(PASSWORD + "\n")
    encrypted = str(DATA / "bad" / "enc_aes256_user.pdf")
    done = stack.submit("ocr", encrypted, "--password-file", str(tmp_path / "password"), "--json", "-o", str(tmp_path))
    assert done.returncode == 0, done.stderr
    job = json.loads(done.stdout)["job"]
    assert not (stack.folder / "data" / "spool" / "jobs" / job / "password").exists()
    for name in ("worker", "documents"):
        assert PASSWORD not in stack.text(name)
    assert PASSWORD not in json.dumps(stack.redis.hgetall(f"ocr:job:{job}"))
    (tmp_path / "password").write_text("wrong")
    wrong = stack.submit("ocr", encrypted, "--password-file", str(tmp_path / "password"))
    assert (wrong.returncode, "password_required" in wrong.stderr) == (4, True)


def test_a_url_that_is_not_allowed(stack: Stack) -> None:
    done = stack.submit("ocr", "http://127.0.0.1:9/scan.pdf")
    assert done.returncode == 4
    assert "source_not_allowed" in done.stderr
    assert "OCR_ALLOWED_SOURCES" in done.stderr


def test_doctor_finds_a_healthy_stack(stack: Stack) -> None:
    done = stack.submit("doctor")
    assert done.returncode in (0, 4)
    wrong = [line for line in done.stdout.splitlines() if line.startswith("wrong")]
    assert not [line for line in wrong if "dead" not in line], done.stdout
    assert "rapidocr" in done.stdout


def test_without_redis(stack: Stack, tmp_path: Path) -> None:
    env = {**stack.env, "REDIS_URL": f"unix://{tmp_path}/none.sock?db=0"}
    for command in (["ocr", str(SCAN)], ["jobs"], ["doctor"]):
        done = stack.submit(*command, env=env)
        assert done.returncode == (4 if command == ["doctor"] else 6), done.stderr
        assert "Traceback" not in done.stderr
