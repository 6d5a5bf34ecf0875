import sys
from pathlib import Path

import pytest

from ocrqueue.client import doctor
from ocrqueue.process import blas
from ocrqueue.process.blas import find_blas, is_wanted


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


def test_a_linked_folder_out_of_the_system_folders_is_not_followed(tmp_path):
    library(tmp_path / "home", "libblas.so.3")
    (tmp_path / "lib" / "x86_64-linux-gnu").mkdir(parents=True)
    (tmp_path / "lib" / "x86_64-linux-gnu" / "openblas").symlink_to(tmp_path / "home")
    assert find_blas([tmp_path / "lib"]) is None
    assert find_blas([tmp_path / "lib", tmp_path / "home"]) is not None


def test_no_folder_of_a_users_own_is_looked_into(tmp_path, monkeypatch):
    library(tmp_path, "libopenblas.so.0")
    monkeypatch.chdir(tmp_path)
    for name in ("LD_LIBRARY_PATH", "LIBRARY_PATH", "OPENBLAS", "HOME", "VIRTUAL_ENV"):
        monkeypatch.setenv(name, str(tmp_path))
    assert set(blas._FOLDERS) == {"/usr/lib", "/usr/lib64", "/lib", "/lib64"}
    found = find_blas()
    assert found is None or found.is_relative_to("/usr/lib") or found.resolve().is_relative_to("/usr")


@pytest.mark.parametrize("platform", ["darwin", "win32"])
def test_it_is_wanted_on_linux_alone(monkeypatch, platform):
    monkeypatch.setattr(sys, "platform", platform)
    assert not is_wanted()


@pytest.mark.parametrize(
    ("wanted", "there", "model", "level", "said"),
    [
        (True, True, "tiny", doctor.Level.OK, "MLX multiplies with /usr/lib/libopenblas.so.0"),
        (True, False, "tiny", doctor.Level.WARNING, "apt install libopenblas0"),
        (True, False, "", doctor.Level.NOTE, "apt install libopenblas0"),
        (False, False, "tiny", None, ""),
    ],
)
def test_the_doctor_says_what_to_install(monkeypatch, tmp_path, wanted, there, model, level, said):
    monkeypatch.setenv("REDIS_URL", f"unix://{tmp_path}/none.sock")
    monkeypatch.setenv("OCR_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("OCR_MODEL", model)
    monkeypatch.setattr(blas, "is_wanted", lambda: wanted)
    monkeypatch.setattr(blas, "find_blas", lambda: Path("/usr/lib/libopenblas.so.0") if there else None)
    found = [(finding.level, finding.text) for finding in doctor.examine() if "MLX" in finding.text]
    assert [name for name, _ in found] == ([level] if level else [])
    assert all(said in line for _, line in found)
