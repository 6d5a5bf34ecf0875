"""Images of pages over HTTP: made by a worker once, and kept with the job."""

import io
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx2
import pytest
from PIL import Image

from ocrqueue.client import Job
from ocrqueue.documents.pdf.mupdf import pymupdf
from tests.support.harness import Stack, running
from tests.support.numbered import RAISE, decode, document
from tests.support.thorough import thorough_but
from tests.support.web import Web, start_web


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    with running() as stack:
        stack.start_documents()
        stack.start_worker()
        yield stack


@pytest.fixture(scope="module")
def web(stack: Stack) -> Web:
    return start_web(stack)


@pytest.fixture(scope="module")
def job(stack: Stack) -> Job:
    """A job of three pages of which the second failed."""
    job = stack.client().submit(document(3, {2: RAISE}), name="scan.tif")
    job.wait(60)
    return job


def get(web: Web, job: Job, page: int, headers: dict[str, str] | None = None, **query: Any) -> httpx2.Response:
    url = f"{web.api}/jobs/{job.id}/pages/{page}/image"
    return httpx2.get(url, params=query, headers=headers, timeout=60)


def folder(stack: Stack, job: Job) -> Path:
    return stack.folder / "data" / "spool" / "jobs" / job.id


@pytest.mark.parametrize("format", thorough_but(1, ["jpeg", "png", "webp"]))
def test_each_page_is_shown_also_one_that_failed(web: Web, job: Job, format: str) -> None:
    for number in (1, 2, 3):
        answer = get(web, job, number, format=format)
        assert (answer.status_code, answer.headers["content-type"]) == (200, f"image/{format}")
        with Image.open(io.BytesIO(answer.content)) as image:
            assert (image.format, image.size) == (format.upper(), (128, 8))
            assert decode(image)[0] == number


@pytest.mark.thorough
def test_requests_at_the_same_time_make_it_once(stack: Stack, web: Web, job: Job) -> None:
    other = start_web(stack, "other")
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda n: get((web, other)[n % 2], job, 1, width=100), range(8)))
    other.kill()
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.headers["etag"] for answer in answers}) == 1
    known = get(web, job, 1, {"If-None-Match": answers[0].headers["etag"]}, width=120)
    assert known.status_code == 304, "both widths have the same file"
    assert len(list(folder(stack, job).glob("image-1-000001-160.jpeg"))) == 1


def test_a_pdf_page_has_the_position_and_size_of_its_boxes(stack: Stack, web: Web) -> None:
    with pymupdf.open() as pdf:
        page = pdf.new_page(width=300, height=200)
        page.insert_text((20, 30), "Hello", fontsize=20)
        job = stack.client().submit(pdf.tobytes(), name="x.pdf", text_layer="ignore", dpi=144)
    job.wait(60)
    read = job.result()["pages"][0]
    with Image.open(io.BytesIO(get(web, job, 1, format="png").content)) as whole:
        assert whole.size == (read["width"], read["height"]) == (600, 400)
        left, _, _, bottom = whole.convert("L").point(lambda value: 255 * (value < 128)).getbbox()
        assert (left // 10, bottom // 10) == (4, 6)
    with Image.open(io.BytesIO(get(web, job, 1, width=300, format="png").content)) as small:
        assert small.size == (320, 213)


def test_what_is_refused(stack: Stack, web: Web, job: Job) -> None:
    found = [
        get(web, job, 4),
        get(web, job, 1, width=0),
        get(web, job, 1, width=5000),
        get(web, job, 1, format="gif"),
    ]
    assert [answer.status_code for answer in found] == [404, 422, 422, 422]
    (broken := stack.client().submit(b"no document")).wait(60)
    assert get(web, broken, 1).status_code == 404
    lost = stack.client().submit(document(1, salt=1))
    lost.wait(60)
    next(folder(stack, lost).glob("source-*")).unlink()
    answer = get(web, lost, 1)
    assert (answer.status_code, answer.json()["code"]) == (422, "storage_error")


def test_an_image_that_its_format_does_not_allow_is_refused(stack: Stack, web: Web) -> None:
    file = io.BytesIO()
    Image.new("L", (20_000, 8), 255).save(file, "PNG")
    (job := stack.client().submit(file.getvalue(), name="ribbon.png", engine="numbered")).wait(60)
    answer = get(web, job, 1, format="webp")
    assert (answer.status_code, answer.json()["code"]) == (422, "too_large")
    assert "20,000 x 8 pixels, and webp allows 16,383" in answer.json()["detail"]
    assert [get(web, job, 1, **query).status_code for query in ({"format": "png"}, {"width": 300})] == [200, 200]


def test_images_go_with_the_job(stack: Stack, web: Web) -> None:
    job = stack.client().submit(document(1, salt=2))
    job.wait(60)
    assert get(web, job, 1).status_code == 200
    assert list(folder(stack, job).glob("image-*"))
    httpx2.delete(f"{web.api}/jobs/{job.id}")
    assert not folder(stack, job).exists()
    assert get(web, job, 1).json()["code"] == "unknown_job"
