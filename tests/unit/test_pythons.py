"""Which Pythons `make test-pythons` finds, and that all places name the same ones."""

import os
import platform
import tomllib
from pathlib import Path

import pytest

from scripts.test_pythons import PROJECT, SUPPORTED, others


def program(path: Path, line: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{line}\n")
    path.chmod(0o755)


def test_other_pythons_are_those_on_path_and_of_pyenv(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shims, system, pyenv = tmp_path / "shims", tmp_path / "bin", tmp_path / "pyenv"
    program(shims / "python3.12", "exit 127")  # of a version that is not chosen
    program(shims / "python3.11", f"echo {platform.python_version()}")
    program(system / "python3.11", "echo 3.11.99")
    program(system / "python3.10", "echo 3.10.9")  # too old
    program(pyenv / "versions" / "3.12.98" / "bin" / "python3.12", "echo 3.12.98")
    program(pyenv / "versions" / "again" / "bin" / "python3.12", "echo 3.12.98")
    monkeypatch.setenv("PATH", os.pathsep.join([str(shims), str(system)]))
    monkeypatch.setenv("PYENV_ROOT", str(pyenv))
    assert others() == {
        "3.11.99": system / "python3.11",
        "3.12.98": pyenv / "versions" / "3.12.98" / "bin" / "python3.12",
    }


def test_the_package_names_the_supported_pythons() -> None:
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
    assert project["requires-python"] == f">={SUPPORTED[0]}"
    named = [text.rpartition(" ")[2] for text in project["classifiers"] if "Python :: 3." in text]
    assert named == list(SUPPORTED)
