"""The files in deploy/ for other supervisors: systemd accepts them, and they name existing processes and files."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from ocrqueue.stack.stack import read_procfile

PROJECT = Path(__file__).parents[2]
DEPLOY = PROJECT / "deploy"
NAMES = {p.name for p in read_procfile((PROJECT / "Procfile").read_text())}


def verify(folder: Path, change: tuple[str, str] = ("", "")) -> "subprocess.CompletedProcess[str]":
    """Run systemd-analyze on the units, with the paths of this checkout instead of /opt/ocr-queue."""
    for unit in (DEPLOY / "systemd").iterdir():
        text = unit.read_text().replace("/opt/ocr-queue/.venv/bin/python", sys.executable)
        (folder / unit.name).write_text(text.replace("/opt/ocr-queue", str(PROJECT)).replace(*change))
    (folder / "ocr-queue@.service").rename(folder / "ocr-queue@worker.service")
    units = sorted(str(unit) for unit in folder.iterdir())
    return subprocess.run(["systemd-analyze", "verify", "--man=no", *units], capture_output=True, text=True, timeout=60)


@pytest.mark.needs("systemd")
def test_systemd_accepts_the_units(tmp_path: Path) -> None:
    run = verify(tmp_path)
    ours = [line for line in run.stderr.splitlines() if "ocr-queue" in line]
    assert ours == []
    assert run.returncode == 0, run.stderr


@pytest.mark.needs("systemd")
def test_systemd_would_find_a_mistake(tmp_path: Path) -> None:
    assert "ocr-queue" in verify(tmp_path, ("Restart=always", "Restart=sometimes")).stderr


@pytest.mark.needs("systemd")
@pytest.mark.parametrize("unit", sorted((DEPLOY / "systemd").glob("*.service")), ids=lambda unit: unit.name)
def test_systemd_counts_the_units_as_well_protected(unit: Path) -> None:
    """The scale goes from 0, no exposure, to 10."""
    command = ["systemd-analyze", "security", "--offline=yes", "--threshold=20", "--no-pager", str(unit)]  # 20: 2.0
    run = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert run.returncode == 0, run.stdout + run.stderr


def test_units_and_containers_are_restarted() -> None:
    for unit in (DEPLOY / "systemd").glob("*.service"):
        assert "\nRestart=always\n" in unit.read_text()
    services = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]
    assert {s["restart"] for s in services.values()} == {"always"}


def test_they_start_the_processes_of_the_procfile() -> None:
    target = (DEPLOY / "systemd" / "ocr-queue.target").read_text()
    named = {*re.findall(r"ocr-queue@(\w+)\.service", target), "redis"}
    assert named == NAMES
    services = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]
    assert set(services) == NAMES
    assert all(services[name]["command"] == [name] for name in NAMES - {"redis"})


def test_the_image_copies_existing_files() -> None:
    lines = [line for line in (DEPLOY / "Dockerfile").read_text().splitlines() if line.startswith("COPY ")]
    sources = [source for line in lines for source in line.split()[1:-1]]
    assert len(sources) > 5
    assert [s for s in sources if not list(PROJECT.glob(s))] == []


@pytest.mark.parametrize(("name", "says"), [("nothing", "'nothing' is not a process of the Procfile"), ("redis", "is")])
def test_an_unknown_process_is_refused(name: str, says: str, tmp_path: Path) -> None:
    run = subprocess.run(
        [sys.executable, "-m", "ocrqueue.stack", name],
        cwd=PROJECT,
        env={"REDIS_URL": "redis://127.0.0.1:1/0", "OCR_DATA_DIR": str(tmp_path), "PATH": ""},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert run.returncode == 1
    assert says in run.stderr
    assert run.stderr.count("\n") == 1
