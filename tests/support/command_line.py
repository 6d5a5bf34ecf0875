"""The settings of the command line, for tests that call it in their own process."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ocrqueue.client import Client
from ocrqueue.settings import shared


@contextmanager
def settings_of(server: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Client]:
    """A client with the settings of the command line, for the Redis at this socket.

    The data is in `folder`. The current folder holds only scan.pdf.
    """
    (folder / "data" / "spool").mkdir(parents=True)
    (folder / "here").mkdir()
    monkeypatch.chdir(folder / "here")
    Path("scan.pdf").write_bytes(b"abc")
    monkeypatch.setenv("REDIS_URL", f"unix://{server}?db=0")
    monkeypatch.setenv("OCR_DATA_DIR", str(folder / "data"))
    client = Client(shared())
    yield client
    client.redis.close()
