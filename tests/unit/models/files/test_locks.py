"""Locks of a model directory."""

import os
from pathlib import Path

import pytest

from ocrqueue.models.files.locks import is_locked, try_lock


@pytest.mark.parametrize("exclusive", [True, False])
def test_whether_a_file_is_locked_is_seen_without_the_right_to_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, exclusive: bool
) -> None:
    """Who may only read the models lists and audits them."""
    path = tmp_path / "lock"
    held = try_lock(path, exclusive)
    assert held is not None

    def opened(file: Path, flags: int, mode: int = 0o777) -> int:
        assert not flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
        return open_file(file, flags, mode)

    open_file = os.open
    monkeypatch.setattr(os, "access", lambda *_: False)
    monkeypatch.setattr(os, "open", opened)
    assert is_locked(path)
    os.close(held)
    assert not is_locked(path)
    assert not is_locked(tmp_path / "none")
