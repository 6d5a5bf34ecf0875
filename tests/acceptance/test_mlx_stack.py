"""A vision-language model as a user runs it: model directory, OCR_MODEL, stack, command line."""

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.demo_mlx import LINES
from tests.support import tiny
from tests.support.harness import Stack, eventually, running

pytestmark = pytest.mark.needs("mlx")


@pytest.fixture(scope="module")
def mlx() -> Iterator[Stack]:
    with running(OCR_MODEL=tiny.NAME, OCR_MLX_PROMPT=tiny.PROMPT) as stack:
        models = stack.folder / "data" / "models"
        models.mkdir()
        tiny.copy_to(models)
        stack.start_documents(children=1)
        stack.start_worker(engines="rapidocr,mlx-vlm")
        yield stack


def read(stack: Stack, image: Path) -> str:
    done = stack.submit("ocr", str(image), "--fresh")
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.thorough
def test_reading_works_after_unloading_and_after_losing_the_child(mlx: Stack, tmp_path: Path) -> None:
    image, wanted = tmp_path / "page.png", "\n".join(LINES)
    tiny.render(*LINES).save(image)
    assert read(mlx, image) == wanted  # --engine auto uses the model that a live worker serves
    (pid,) = mlx.children("worker")
    assert f"{pid}: freed" in mlx.submit("models", "unload").stdout
    assert read(mlx, image) == wanted
    os.kill(pid, signal.SIGKILL)
    eventually(lambda: mlx.children("worker") not in ([], [pid]))
    assert read(mlx, image) == wanted
    rows = [json.loads(row) for row in mlx.submit("models", "memory", "--json").stdout.splitlines()]
    assert {row["models"].get("mlx-vlm") for row in rows if row["pid"] in mlx.children("worker")} == {tiny.NAME}


@pytest.mark.thorough
def test_several_pages_in_a_batch(mlx: Stack, tmp_path: Path) -> None:
    wanted, file = tiny.texts(6), tmp_path / "pages.tiff"
    file.write_bytes(tiny.document(tiny.pages(wanted)))
    done = mlx.submit("ocr", str(file), "-f", "json", "-o", str(tmp_path), "--engine", "mlx-vlm", "--model", tiny.NAME)
    assert done.returncode == 0, done.stderr
    pages = json.loads((tmp_path / "pages.json").read_text())["pages"]
    assert [(page["text"], page["model"]) for page in pages] == [(text, tiny.NAME) for text in wanted]


@pytest.mark.thorough
def test_a_model_in_use_is_listed_as_used(mlx: Stack) -> None:
    done = mlx.submit("models", "list", "--json")
    (model,) = [json.loads(row) for row in done.stdout.splitlines()]
    assert (model["name"], model["status"]) == (tiny.NAME, "IN_USE")


@pytest.mark.thorough
def test_a_model_that_no_worker_serves_is_waited_for_with_the_next_step(mlx: Stack, tmp_path: Path) -> None:
    image = tmp_path / "page.png"
    tiny.render("WAIT").save(image)
    done = mlx.submit("ocr", str(image), "--model", "org/nothing", "--timeout", "3")
    assert done.returncode == 5, done.stderr
    assert (
        "check it with `submit.py models check org/nothing`, then start a worker with OCR_MODEL=org/nothing"
        in done.stderr
    )
