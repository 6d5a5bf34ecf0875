"""Poorly read pages are read once more by another engine: real workers, one stack, engines that are made for it."""

import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ocrqueue.client import Client
from tests.support import numbered
from tests.support.faults import eventually
from tests.support.harness import Stack, running
from tests.support.thorough import thorough_but

ENGINES = "rapidocr=tests.support.engines:Unsure,tesseract=tests.support.engines:Second"


@pytest.fixture(scope="module")
def reads(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with a byte for each page that an engine has read."""
    return tmp_path_factory.mktemp("reads") / "reads"


@pytest.fixture(scope="module")
def stack(reads: Path) -> Iterator[Stack]:
    with running(Stack, OCR_CACHE_MAX_GB="1") as stack:
        stack.client().spool.prepare()
        stack.start_documents(children=1)
        stack.start_worker(engines=ENGINES, TEST_ENGINE_READS=str(reads))
        stack.start_beat()
        yield stack


@pytest.fixture(scope="module")
def client(stack: Stack) -> Client:
    return stack.client()


@pytest.fixture(scope="module")
def pages(client: Client) -> list[dict[str, Any]]:
    """The pages of a document that was read."""
    result = client.submit(numbered.document(6)).result(timeout=90)
    assert result["state"] == "done"
    assert result["poorly_read"] == 3
    found: list[dict[str, Any]] = result["pages"]
    return found


def test_the_better_reading_is_kept(pages: list[dict[str, Any]]) -> None:
    page = pages[0]
    assert (page["text"], page["engine"], page["model"], page["warnings"]) == ("second page 1", "tesseract", "none", [])
    first, second = page["readings"]
    assert (first["engine"], first["kept"], second["engine"], second["kept"]) == ("rapidocr", False, "tesseract", True)
    assert first["quality"] < second["quality"] == page["quality"]
    assert first["reason"] is None
    assert f"quality of {first['quality']:.2f}, which is below 0.8" in second["reason"]


def test_a_worse_reading_is_not_kept(pages: list[dict[str, Any]]) -> None:
    page = pages[1]
    assert (page["text"], page["engine"], page["state"]) == ("page 2", "rapidocr", "ok")
    assert [warning["code"] for warning in page["warnings"]] == ["poorly_read"]
    assert [reading["kept"] for reading in page["readings"]] == [True, False]


def test_a_page_on_which_the_other_engine_fails_or_dies_keeps_its_first_reading(pages: list[dict[str, Any]]) -> None:
    failed, killed = pages[2:4]
    assert [page["text"] for page in (failed, killed)] == ["page 3", "page 4"]
    assert failed["readings"][1]["error"]["code"] == "engine_error"
    assert killed["readings"] == []


def test_a_page_that_was_read_well_is_read_once(pages: list[dict[str, Any]]) -> None:
    assert pages[5]["readings"] == []
    assert pages[5]["engine"] == "rapidocr"


def test_the_kept_reading_is_cached(client: Client, pages: list[dict[str, Any]], reads: Path) -> None:
    before = reads.stat().st_size
    result = client.submit(numbered.document(6), pages="1-2,5-6").result(timeout=60)
    assert [page["cached"] for page in result["pages"]] == [True] * 4
    assert [page["text"] for page in result["pages"]] == [pages[i]["text"] for i in (0, 1, 4, 5)]
    assert result["pages"][0]["readings"] == pages[0]["readings"]
    assert reads.stat().st_size == before


def test_a_job_that_names_its_engine_is_read_once(client: Client) -> None:
    result = client.submit(numbered.document(1, salt=2), engine="rapidocr").result(timeout=60)
    assert result["pages"][0]["text"] == "page 1"
    assert result["pages"][0]["readings"] == []


def test_a_job_that_names_its_engine_gets_no_page_of_another_one_from_the_cache(
    client: Client, pages: list[dict[str, Any]]
) -> None:
    result = client.submit(numbered.document(6), pages="1,6", engine="rapidocr").result(timeout=60)
    assert pages[0]["engine"] == "tesseract"
    assert [(page["engine"], page["cached"]) for page in result["pages"]] == [("rapidocr", True)] * 2
    assert [page["text"] for page in result["pages"]] == ["page 1", "page 6"]
    again = client.submit(numbered.document(6), pages="1").result(timeout=60)
    assert (again["pages"][0]["text"], again["pages"][0]["cached"]) == ("second page 1", True)


@pytest.mark.parametrize("structure", thorough_but(1, [False, True]))
def test_a_poor_first_reading_in_the_cache_is_not_made_again(client: Client, reads: Path, structure: bool) -> None:
    """As of a page that the first job's budget left over: only the second engine reads, and once."""
    document = numbered.document(2, salt=4 + structure)
    client.submit(document, engine="rapidocr", structure=structure).result(timeout=60)
    for new in (2, 0):  # pages that are read
        before = reads.stat().st_size
        job = client.submit(document, structure=structure)
        pages = job.result(timeout=60)["pages"]
        assert reads.stat().st_size - before == new
        assert (job.status().engine, job.status().second_engine) == ("rapidocr", "tesseract")  # also from the cache
        assert [(page["text"], page["engine"]) for page in pages] == [
            ("second page 1", "tesseract"), ("page 2", "rapidocr"),
        ]  # fmt: skip
        assert [[reading["kept"] for reading in page["readings"]] for page in pages] == [[False, True], [True, False]]
        assert all((page["blocks"] is not None) == structure for page in pages)


@pytest.mark.thorough
def test_blocks_are_those_of_the_reading_that_is_kept(client: Client) -> None:
    result = client.submit(numbered.document(6, salt=3), structure=True).result(timeout=120)
    assert (result["state"], result["poorly_read"]) == ("done", 3)
    for page in result["pages"]:
        lines = [line["text"] for line in page["lines"]]
        assert page["text"] == "\n".join(lines)
        assert [index for block in page["blocks"] for index in block["lines"]] == list(range(len(lines)))
        assert "".join(block["text"] for block in page["blocks"]) == page["text"]
        assert page["engine"] == next((r["engine"] for r in page["readings"] if r["kept"]), "rapidocr")
    assert [page["text"] for page in result["pages"]] == [
        "second page 1", "page 2", "page 3", "page 4", "second page 5", "page 6",
    ]  # fmt: skip


@pytest.mark.thorough
def test_a_second_engine_that_comes_too_late_reads_nothing_and_the_job_ends() -> None:
    """Without the reconciler: the worker that takes the ticket ends the job."""
    first, second = ENGINES.split(",")
    with running(Stack, OCR_REREAD_SECONDS="1") as stack:
        stack.client().spool.prepare()
        stack.start_documents(children=1)
        stack.start_worker("first", engines=first)
        stack.start_worker("second", engines=second)
        stack.processes["second"].send_signal(signal.SIGSTOP)
        try:
            job = stack.client().submit(numbered.document(6))
            assert eventually(lambda: job.status().read_again_by, 60) == "tesseract"
            time.sleep(1.1)
        finally:
            stack.processes["second"].send_signal(signal.SIGCONT)
        result = job.result(timeout=60)
        assert (result["state"], len(result["pages"])) == ("done", 6)
        assert [page["readings"] for page in result["pages"]] == [[]] * 6
        assert job.status().second_engine is None
