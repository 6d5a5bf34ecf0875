"""Every type of model that has a recipe reads a page in a real worker, as a very small model from a model directory.

One worker serves all of them, each as an engine of its own, and frees the model after every page. One of them is
served as a user would: by the engine `mlx-vlm`, with OCR_MODEL.
"""

import re
from collections.abc import Iterator

import pytest
from PIL import Image, ImageDraw

from tests.support import tiny
from tests.support.harness import Stack, eventually, running
from tests.support.miniatures import FAMILIES
from tests.support.miniatures.builder import build
from tests.support.miniatures.engine import engine_name, served

pytestmark = pytest.mark.needs("mlx")

USUAL = "granite-docling-258M-mlx"  # served by the engine `mlx-vlm`
LOADED = re.compile(r"loaded engine=(\S+) model=(\S+) .*pid=(\d+) loads=(\d+)")
MEMORY = re.compile(r"memory rss=\d+ active=(\d+) cache=(\d+)")


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A worker with one child, which has loaded no model yet."""
    directory = tmp_path_factory.mktemp("models")
    for name, family in FAMILIES.items():
        build(family, directory / name)
    with running(OCR_MODEL_DIR=str(directory), OCR_MODEL=USUAL, OCR_PRELOAD="0", OCR_RELEASE="task") as stack:
        stack.start_documents(children=1)
        stack.start_worker(engines=f"mlx-vlm,{served()}")
        yield stack


def page() -> Image.Image:
    """A narrow page with something on it."""
    found = Image.new("RGB", (80, 280), "white")
    ImageDraw.Draw(found).rectangle((10, 40, 60, 60), fill="black")
    return found


@pytest.mark.thorough
@pytest.mark.timeout(900)  # seconds, on a busy machine
def test_every_model_reads_a_page_and_gives_its_memory_back(stack: Stack) -> None:
    engines = {"mlx-vlm": USUAL, **{engine_name(name): name for name in FAMILIES}}
    document = tiny.document([page()])
    jobs = {engine: stack.client().submit(document, engine=engine, fresh=True) for engine in engines}
    for engine, job in jobs.items():
        assert job.wait(timeout=240).state == "done", (engine, stack.text("worker")[-3000:])
        (found,) = job.result()["pages"]
        name = engines[engine]
        assert (found["engine"], found["model"], found["text"]) == (engine, name, FAMILIES[name].plain)
    loads = LOADED.findall(stack.text("worker"))
    assert {engine: model for engine, model, *_ in loads} == engines
    assert [count for *_, count in loads] == [str(n) for n in range(1, len(engines) + 1)]
    assert len({pid for *_, pid, _ in loads}) == 1
    eventually(lambda: len(MEMORY.findall(stack.text("worker"))) >= len(engines))
    notes = MEMORY.findall(stack.text("worker"))
    assert all(int(active) < 4096 and cache == "0" for active, cache in notes)


@pytest.mark.thorough
def test_the_model_directory_lists_the_models_as_complete(stack: Stack) -> None:
    listed = stack.submit("models", "list").stdout
    assert [name for name in FAMILIES if name not in listed] == []
    assert "damaged" not in listed
