"""Results of real jobs, in every state, follow the JSON Schema that the package ships."""

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageDraw

from ocrqueue.client import Job
from ocrqueue.documents.pdf.mupdf import pymupdf
from ocrqueue.storage.spool import result_name
from tests.support import numbered
from tests.support.harness import Stack, eventually, running
from tests.support.result_schema import errors


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    with running(OCR_PAGE_ATTEMPTS="1", OCR_CACHE_MAX_GB="1") as stack:
        stack.start_documents()
        stack.start_worker()
        yield stack


def stored(stack: Stack, job: Job) -> dict[str, Any]:
    """The result as it is in the spool: the client raises an error for a failed job instead of returning it."""
    with stack.client().spool.open_read(job.id, result_name(job.wait(60).round)) as file:
        result: dict[str, Any] = json.load(file)
    return result


def document(folder: Path, *behaviours: int) -> Path:
    """One numbered page for each behaviour."""
    return numbered.write(folder / "document.tif", len(behaviours), dict(enumerate(behaviours, 1)))


def test_a_job_that_is_done(stack: Stack, tmp_path: Path) -> None:
    result = stack.client().submit(document(tmp_path, 0, 0, 0), pages="1-2", priority="high", formats=["text"]).result()
    assert errors(result) == []
    assert (result["state"], result["counts"]["ok"], result["source"]["pages"]) == ("done", 2, 3)


def test_a_job_that_is_partial(stack: Stack, tmp_path: Path) -> None:
    result = stack.client().submit(document(tmp_path, 0, numbered.RAISE, numbered.KILL_CHILD)).result()
    assert errors(result) == []
    assert [page["state"] for page in result["pages"]] == ["ok", "failed", "failed"]
    assert {page["error"]["code"] for page in result["pages"][1:]} == {"engine_error", "worker_lost"}


def test_a_job_whose_pages_all_failed(stack: Stack, tmp_path: Path) -> None:
    result = stored(stack, stack.client().submit(document(tmp_path, numbered.RAISE)))
    assert errors(result) == []
    assert (result["state"], result["counts"]["failed"]) == ("failed", 1)


def test_a_cancelled_job(stack: Stack, tmp_path: Path) -> None:
    job = stack.client().submit(document(tmp_path, *[numbered.SLOW] * 20))
    eventually(lambda: job.status().ok)
    job.cancel()
    result = stored(stack, job)
    assert errors(result) == []
    assert result["state"] == "cancelled"
    assert {page["state"] for page in result["pages"]} == {"ok", "cancelled"}


def test_pages_with_text_of_the_pdf_and_pages_with_both(stack: Stack) -> None:
    made = pymupdf.open()
    for with_image in (False, True):
        page = made.new_page(width=400, height=300)
        page.insert_text((40, 60), "The harbour master counted the boats")
        if with_image:
            image, file = Image.new("RGB", (400, 200), "white"), io.BytesIO()
            ImageDraw.Draw(image).text((30, 60), "Delivered on Friday", fill="black", font_size=36)
            image.save(file, "PNG")
            page.insert_image(pymupdf.Rect(40, 120, 240, 220), stream=file.getvalue())
    result = stack.client().submit(bytes(made.tobytes())).result()
    assert errors(result) == []
    assert [page["origin"] for page in result["pages"]] == ["text_layer", "mixed"]
    assert result["source"]["name"] == "document"


def test_pages_of_the_cache(stack: Stack, tmp_path: Path) -> None:
    again = document(tmp_path, 0, 0, 0, 0)
    stack.client().submit(again).wait(60)
    result = stack.client().submit(again).result()
    assert errors(result) == []
    assert [page["cached"] for page in result["pages"]] == [True] * 4


@pytest.mark.parametrize(
    "change",
    [
        {"state": "finished"},
        {"pages": [{"page": 1}]},
        {"counts": {"ok": 1}},
        {"schema": "ocr-queue/2"},
        {"unknown": 1},
        {"job": "letter"},
    ],
)
def test_the_schema_finds_a_mistake(stack: Stack, tmp_path: Path, change: dict[str, object]) -> None:
    result = stack.client().submit(document(tmp_path, 0)).result()
    assert errors(result) == []
    assert errors(result | change) != []
