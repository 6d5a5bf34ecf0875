"""Tests whose needs are missing are left out and named, or fail in CI; the files they are in can be imported."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import needs

ROOT = Path(__file__).parents[2]
PACKAGES = ("botocore", "mlx", "mlx_vlm", "tesserocr", "tokenizers", "transformers")
# Runs tests in an environment that was set up without any part, on a machine without any program.
BARE = f"""
import os, sys
sys.prefix = os.environ["PATH"] = sys.argv[1]
sys.modules.update(dict.fromkeys({PACKAGES}))
import pytest
sys.exit(pytest.main(["-q", "-p", "no:cacheprovider", *sys.argv[2:]]))
"""


def run_bare(folder: Path, *files: str, ci: str = "") -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-c", BARE, str(folder), *files]
    return subprocess.run(command, cwd=ROOT, env={"CI": ci, "HOME": str(folder)}, capture_output=True, text=True)


def test_what_is_missing_is_left_out_and_named(tmp_path: Path) -> None:
    marks = {path: path.read_text().partition("\npytestmark = ")[2][:40] for path in ROOT.glob("tests/*/**/test_*.py")}
    needing = sorted(str(path) for path, mark in marks.items() if "needs(" in mark)
    assert len(needing) > 15
    done = run_bare(tmp_path, *needing, "tests/unit/test_deploy.py")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "5 passed" in done.stdout  # those of test_deploy.py that need no systemd
    assert re.findall(r"^\d+ tests: (.*)$", done.stdout, re.MULTILINE) == [
        "no Chromium: apt install chromium",
        "no Redis server with TLS: apt install redis-tools",
        "no systemd-analyze: apt install systemd",
        "set up without MLX: make setup MLX=1",
        "set up without Tesseract: make setup TESSERACT=1",
        "set up without object storage: make setup S3=1",
    ]


def test_in_ci_they_fail(tmp_path: Path) -> None:
    done = run_bare(tmp_path, "tests/unit/test_deploy.py", ci="true")
    assert done.returncode == 1
    assert re.search(r"^5 passed, \d+ errors ", done.stdout, re.MULTILINE)
    assert "no systemd-analyze: apt install systemd (in CI no test is left out)" in done.stdout


def test_ci_has_all_parts_and_installs_every_package(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: None)
    monkeypatch.setenv("OCR_TESSDATA_DIR", str(tmp_path))
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    for name in ("mlx", "tesseract", "s3"):
        (tmp_path / name).write_text("1\n")
    advice = [said for look in needs.NEEDS.values() if (said := look())]
    packages = {name for said in advice for name in said.partition("apt install ")[2].split()}
    assert {"chromium", "openssl", "tesseract-ocr-heb"} < packages
    words = (ROOT / ".ci" / "run").read_text().split()
    assert packages | {"TESSERACT=1", "MLX=1", "S3=1"} <= set(words)
