"""An environment that has only the client, like that of another service."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.harness import Stack, running

PROJECT = Path(__file__).parents[2]


def run(*command: str | Path, cwd: Path) -> str:
    done = subprocess.run([str(c) for c in command], cwd=cwd, capture_output=True, text=True, timeout=500)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="session")
def client(tmp_path_factory) -> Path:
    """The bin folder of a virtual environment that has the client, installed from a copy of the sources."""
    folder = tmp_path_factory.mktemp("client")
    copy = folder / "source"
    ignored = shutil.ignore_patterns(".git", ".venv", "data", "build", "*.egg-info", "__pycache__", ".*_cache")
    shutil.copytree(PROJECT, copy, ignore=ignored)
    run(sys.executable, "-m", "venv", folder / "venv", cwd=folder)
    pip = [folder / "venv" / "bin" / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    run(*pip, "-c", PROJECT / "requirements.lock", copy, cwd=folder)
    return folder / "venv" / "bin"


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    """The stack that a user starts: Redis, both workers, and beat, with the default engine."""
    with running(OCR_PAGE_SECONDS="60") as stack:
        stack.start_documents()
        stack.start_worker(engines="rapidocr", children=2)
        stack.start_beat()
        yield stack
