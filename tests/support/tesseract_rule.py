"""Deselects the tests of the engine tesseract unless it was asked for: `make setup TESSERACT=1`, as CI does.

The file `tesseract` in the environment records the choice. If it was asked for and is missing, the tests fail.
"""

import sys
from importlib.util import find_spec
from pathlib import Path

_NEEDING = "test_tesseract"  # how the names of their files begin


def left_out() -> str | None:
    """Why Tesseract is left out on purpose; None if it is installed, or should be."""
    if find_spec("tesserocr") is not None:
        return None
    note = Path(sys.prefix) / "tesseract"
    if note.is_file() and note.read_text().strip() == "1":
        return None
    return "set up without it; `make setup TESSERACT=1` installs it"


def needs(path: Path) -> bool:
    """Whether a file of tests needs Tesseract."""
    return path.stem.startswith(_NEEDING)
