"""Tests of a part that was left out at set-up are left out, too, and their files can be imported."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# Collects tests in an environment that was set up without what the first argument names.
WITHOUT = """
import sys
package, sys.prefix, *files = sys.argv[1:]
sys.modules[package] = None
import pytest
sys.exit(pytest.main(["--collect-only", "-q", "-p", "no:cacheprovider", *files]))
"""


@pytest.mark.parametrize(
    ("package", "needing"),
    [
        ("botocore", ["tests/integration/test_object_storage.py", "tests/unit/storage/test_s3.py"]),
        ("tesserocr", ["tests/integration/test_tesseract_engine.py"]),
    ],
)
def test_without_a_part_all_files_can_be_collected(package: str, needing: list[str], tmp_path: Path) -> None:
    files = [*needing, "tests/unit/storage/test_spool.py"]
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT, package, str(tmp_path), *files], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "test_spool.py::" in done.stdout
    assert not any(file in done.stdout for file in needing)
