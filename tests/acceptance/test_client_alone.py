"""A service with only the client installed submits documents and reads their results."""

import subprocess
from pathlib import Path

import pytest

from tests.support.harness import PROJECT, Stack

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
SCAN = PROJECT / "tests" / "data" / "scan.pdf"


def run(stack: Stack, folder: Path, *command: str | Path) -> "subprocess.CompletedProcess[str]":
    env = {k: v for k, v in stack.env.items() if k != "PYTHONPATH"}
    return subprocess.run([str(c) for c in command], cwd=folder, env=env, capture_output=True, text=True, timeout=120)


def test_python(client: Path, stack: Stack, tmp_path: Path) -> None:
    program = f"""
from ocrqueue.client import submit
job = submit({str(SCAN)!r}, pages="2")
for page in job.pages():
    print(page["page"], page["state"], page["engine"])
print(job.text())
"""
    done = run(stack, tmp_path, client / "python", "-W", "error", "-c", program)
    assert done.returncode == 0, done.stderr
    first, _, text = done.stdout.partition("\n")
    assert first == "2 ok rapidocr"
    assert "labelled" in text


def test_the_command(client: Path, stack: Stack, tmp_path: Path) -> None:
    done = run(
        stack, tmp_path, client / "ocr-queue", "ocr", SCAN, "--pages", "1", "-f", "text", "-f", "json", "-o", "out"
    )
    assert done.returncode == 0, done.stderr
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["scan.json", "scan.txt"]
    assert "White Rabbit" in (tmp_path / "out" / "scan.txt").read_text()


def test_submit_py_of_the_project(client: Path, stack: Stack, tmp_path: Path) -> None:
    done = run(stack, tmp_path, client / "python", PROJECT / "submit.py", "ocr", SCAN, "--pages", "1")
    assert done.returncode == 0, done.stderr
    assert "White Rabbit" in done.stdout
