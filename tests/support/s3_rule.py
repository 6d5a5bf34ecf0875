"""Deselects the tests of object storage unless it was asked for: `make setup S3=1`, as CI does.

The file `s3` in the environment records the choice. If it was asked for and is missing, the tests fail.
"""

import sys
from importlib.util import find_spec
from pathlib import Path

_NEEDING = ("test_object_storage", "test_s3")  # the names of their files


def left_out() -> str | None:
    """Why object storage is left out on purpose; None if its package is installed, or should be."""
    note = Path(sys.prefix) / "s3"
    if find_spec("botocore") is not None or (note.is_file() and note.read_text().strip() == "1"):
        return None
    return "set up without it; `make setup S3=1` installs it"


def needs(path: Path) -> bool:
    """Whether a file of tests needs object storage."""
    return path.stem in _NEEDING
