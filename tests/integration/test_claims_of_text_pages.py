"""Pages whose text layer is used are claimed several at a time. No page suffers for its neighbours in a claim."""

import io
from collections.abc import Collection, Iterator
from typing import Any

import pytest

from ocrqueue.client import Job
from ocrqueue.documents.pdf.mupdf import pymupdf
from tests.support import numbered
from tests.support.harness import Stack, running

PAGES = 60
SIDES = (64.0, 4.0)  # points: a numbered image has 144 dots per inch on such a page


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    reads = tmp_path_factory.mktemp("engine") / "reads"
    with running(TEST_ENGINE_READS=str(reads)) as stack:
        stack.start_documents(children=1)
        stack.start_worker()
        stack.start_beat()
        yield stack


def pdf(scans: Collection[int] = (), behaviour: int = numbered.NORMAL) -> bytes:
    """A PDF with a text layer on each page but `scans`, which are images for the test engine."""
    made = pymupdf.open()
    for number in range(1, PAGES + 1):
        if number in scans:
            image = io.BytesIO()
            numbered.page_image(number, behaviour).save(image, "PNG")
            page = made.new_page(width=SIDES[0], height=SIDES[1])
            page.insert_image(page.rect, stream=image.getvalue())
        else:
            made.new_page(width=400, height=300).insert_text((40, 60), printed(number))
    return bytes(made.tobytes())


def printed(number: int) -> str:
    return f"The harbour master counted boat {number}"


def pages_of(job: Job) -> list[dict[str, Any]]:
    pages: list[dict[str, Any]] = job.result(timeout=120)["pages"]
    assert [page["page"] for page in pages] == list(range(1, PAGES + 1))
    return pages


def claims(stack: Stack, job: Job) -> int:
    """How many tasks of a child have ended for the job."""
    return stack.text("worker").count(f"job={job.id} memory rss=")


def test_a_document_with_a_text_layer_takes_few_claims(stack: Stack) -> None:
    job = stack.client().submit(pdf())
    pages = pages_of(job)
    assert [page["text"] for page in pages] == [printed(n) for n in range(1, PAGES + 1)]
    assert {(page["origin"], page["attempts"], page["cached"]) for page in pages} == {("text_layer", 0, False)}
    assert claims(stack, job) < 2 * PAGES / 3


def test_a_page_for_the_engine_among_them_is_read_once(stack: Stack) -> None:
    scans = (20, 21, 40)
    read = len(reads(stack))
    job = stack.client().submit(pdf(scans))
    pages = pages_of(job)
    assert [page["text"] for page in pages] == [
        numbered.text(n) if n in scans else printed(n) for n in range(1, PAGES + 1)
    ]
    assert {page["attempts"] for page in pages} == {0}
    assert len(reads(stack)) - read == len(scans)
    assert claims(stack, job) < PAGES


def reads(stack: Stack) -> bytes:
    """A byte for each page that the engine has read."""
    with open(stack.env["TEST_ENGINE_READS"], "a+b") as file:  # noqa: PTH123
        file.seek(0)
        return file.read()


@pytest.mark.thorough
def test_a_page_that_kills_its_child_fails_alone(stack: Stack) -> None:
    job = stack.client().submit(pdf({40}, numbered.KILL_CHILD))
    status = job.wait(timeout=120)
    assert (status.state, status.ok, status.failed) == ("partial", PAGES - 1, 1)
    pages = pages_of(job)
    failed = pages.pop(40 - 1)
    assert failed["error"]["code"] == "worker_lost"
    assert all(page["text"] == printed(page["page"]) for page in pages)
    assert max(page["attempts"] for page in pages) == 1, "those that were claimed together with it lost one claim"
