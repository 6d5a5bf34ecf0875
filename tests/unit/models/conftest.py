"""Fixtures for the tests of the model directory."""

from pathlib import Path

import pytest

from tests.support.models import Directory


@pytest.fixture
def directory(tmp_path: Path) -> Directory:
    """An empty model directory."""
    return Directory(tmp_path / "models")
