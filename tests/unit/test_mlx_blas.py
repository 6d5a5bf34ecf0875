import sys
from pathlib import Path

import pytest

from ocrqueue.blas import find_blas, is_wanted


def library(folder: Path, name: str) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    return path


def test_the_first_that_fits_is_taken(tmp_path):
    assert find_blas([tmp_path]) is None
    plain = library(tmp_path, "libopenblas.so.0")
    assert find_blas([tmp_path]) == plain
    debian = library(tmp_path, "x86_64-linux-gnu/openblas-pthread/libblas.so.3")
    assert find_blas([tmp_path]) == debian


def test_the_reference_blas_is_none(tmp_path):
    library(tmp_path, "x86_64-linux-gnu/blas/libblas.so.3")
    library(tmp_path, "libblas.so.3")
    assert find_blas([tmp_path]) is None


def test_a_link_out_of_the_system_folders_is_not_followed(tmp_path):
    elsewhere = library(tmp_path / "home", "libopenblas.so.0")
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "libopenblas.so.0").symlink_to(elsewhere)
    assert find_blas([tmp_path / "lib"]) is None
    assert find_blas([tmp_path / "missing"]) is None


@pytest.mark.parametrize("platform", ["darwin", "win32"])
def test_it_is_wanted_on_linux_alone(monkeypatch, platform):
    monkeypatch.setattr(sys, "platform", platform)
    assert not is_wanted()
