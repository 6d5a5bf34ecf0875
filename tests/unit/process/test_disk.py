"""Folders for files that a process needs for a while."""

import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from ocrqueue.process.disk import scratch

# prints its folder, and kills itself while it uses that
KILLED = """
import os, signal
from ocrqueue.process.disk import scratch
with scratch() as folder:
    (folder / "copy.pdf").touch()
    print(folder, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_the_folder_of_a_killed_process_is_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    run = subprocess.run([sys.executable, "-c", KILLED], capture_output=True, text=True)
    left = Path(run.stdout.strip())
    redis = tmp_path / "ocr-queue-0-8f23f2e9"  # of the embedded server, which does not lock its folder
    redis.mkdir()
    assert (left / "copy.pdf").exists()
    with scratch() as mine:
        assert not left.exists()
        with scratch() as another:
            assert sorted(tmp_path.iterdir()) == sorted([mine, another, redis])
    assert list(tmp_path.iterdir()) == [redis]
