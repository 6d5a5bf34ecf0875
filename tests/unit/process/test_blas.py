"""The search for an optimised BLAS library in the folders of the system."""

import sys
from pathlib import Path

import pytest

from ocrqueue.process import blas
from ocrqueue.process.blas import find_blas, is_wanted


def library(folder: Path, name: str) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    return path


def test_the_first_matching_library_is_used(tmp_path):
    assert find_blas([tmp_path]) is None
    plain = library(tmp_path, "libopenblas.so.0")
    assert find_blas([tmp_path]) == plain
    debian = library(tmp_path, "x86_64-linux-gnu/openblas-pthread/libblas.so.3")
    assert find_blas([tmp_path]) == debian


def test_the_reference_blas_is_not_used(tmp_path):
    library(tmp_path, "x86_64-linux-gnu/blas/libblas.so.3")
    library(tmp_path, "libblas.so.3")
    assert find_blas([tmp_path]) is None


def test_a_link_out_of_the_system_folders_is_not_followed(tmp_path):
    elsewhere = library(tmp_path / "home", "libopenblas.so.0")
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "libopenblas.so.0").symlink_to(elsewhere)
    assert find_blas([tmp_path / "lib"]) is None
    assert find_blas([tmp_path / "missing"]) is None


def test_a_linked_folder_out_of_the_system_folders_is_not_followed(tmp_path):
    library(tmp_path / "home", "libblas.so.3")
    (tmp_path / "lib" / "x86_64-linux-gnu").mkdir(parents=True)
    (tmp_path / "lib" / "x86_64-linux-gnu" / "openblas").symlink_to(tmp_path / "home")
    assert find_blas([tmp_path / "lib"]) is None
    assert find_blas([tmp_path / "lib", tmp_path / "home"]) is not None


def test_folders_of_the_user_are_not_searched(tmp_path, monkeypatch):
    library(tmp_path, "libopenblas.so.0")
    monkeypatch.chdir(tmp_path)
    for name in ("LD_LIBRARY_PATH", "LIBRARY_PATH", "OPENBLAS", "HOME", "VIRTUAL_ENV"):
        monkeypatch.setenv(name, str(tmp_path))
    assert set(blas._FOLDERS) == {"/usr/lib", "/usr/lib64", "/lib", "/lib64"}
    found = find_blas()
    assert found is None or found.is_relative_to("/usr/lib") or found.resolve().is_relative_to("/usr")


@pytest.mark.parametrize("platform", ["darwin", "win32"])
def test_openblas_is_wanted_on_linux_only(monkeypatch, platform):
    monkeypatch.setattr(sys, "platform", platform)
    assert not is_wanted()
