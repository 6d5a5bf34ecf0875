"""The checks of a worker before it starts."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[3]


@pytest.mark.parametrize("path", ["no.such:Class", "ocrqueue.engines:NoSuch"])
def test_a_worker_does_not_start_with_an_engine_that_cannot_be_imported(path: str, tmp_path: Path) -> None:
    env = {**os.environ, "OCR_DATA_DIR": str(tmp_path), "OCR_WORKER_ENGINES": f"mine={path}"}
    done = subprocess.run(
        [sys.executable, "-m", "celery", "-A", "tasks.app", "worker"],
        cwd=PROJECT, env=env, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode != 0
    output = done.stdout + done.stderr  # with Celery's warning, if root runs it
    assert output.splitlines()[-1].startswith(f"ocr: OCR_WORKER_ENGINES=mine={path} cannot be used (")
    assert "Traceback" not in output
