"""The assembly of a job whose stored pages are missing or damaged."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ocrqueue.ledger import Ledger, Step
from ocrqueue.pages import PageText
from ocrqueue.steps.assemble import assemble
from ocrqueue.storage import results
from ocrqueue.storage.local import LocalStorage
from ocrqueue.storage.results import PageFacts, page_result
from ocrqueue.storage.spool import JOB, Spool, result_name
from tests.support.ledger_steps import JOB as ID
from tests.support.ledger_steps import opened

DAMAGE: dict[str, Callable[[Path], object]] = {
    "missing": lambda file: file.unlink(),
    "empty": lambda file: file.write_bytes(b""),
    "cut": lambda file: file.write_bytes(file.read_bytes()[:-9]),
    "no page": lambda file: file.write_bytes(b"{}"),
    "no object": lambda file: file.write_bytes(b"[]"),
    "no text": lambda file: file.write_bytes(b"\xff\xfe\x00"),
    "another page": lambda file: file.write_bytes(file.with_name("000001.json").read_bytes()),
}


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    spool = Spool(str(tmp_path / "spool"))
    spool.prepare()
    spool.write_json(ID, JOB, {})
    return spool


def file_of(tmp_path: Path, number: int) -> Path:
    return tmp_path / "spool" / "jobs" / ID / "pages" / f"{number:06d}.json"


def read_all(ledger: Ledger, spool: Spool, step: Step) -> list[int]:
    """Read all open pages, beginning with the tickets of this step. Returns their numbers."""
    numbers, tickets = [], list(step.messages)
    while tickets:
        ticket = tickets.pop(0)
        if ticket.kind == "page" and (claim := ledger.claim(ID, *ticket.args, "reader")):
            (number,) = (page.number for page in claim.pages)
            spool.write_page(ID, number, page_result(number, PageText(text=f"page {number}"), PageFacts()))
            tickets += ledger.finish(claim, {number: None}).messages
            numbers.append(number)
    return numbers


def assembled(ledger: Ledger, spool: Spool) -> dict[str, Any]:
    """The result that an assembly writes, with its pages in a list."""
    round = ledger.job(ID).round
    job = ledger.begin(ID, "assemble", "assembler", round)
    assert job
    assemble(job, "assembler", ledger, spool)
    with spool.open_read(ID, result_name(round)) as stream:
        header = results.read_header(stream)
    with spool.open_read(ID, result_name(round)) as stream:
        return {**header, "pages": list(results.read_pages(stream))}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_page_fails_and_a_retry_reads_it_again(
    damage: str, ledger: Ledger, spool: Spool, tmp_path: Path
) -> None:
    assert read_all(ledger, spool, opened(ledger, pages=4)) == [1, 2, 3, 4]
    DAMAGE[damage](file_of(tmp_path, 2))

    result = assembled(ledger, spool)
    job = ledger.job(ID)
    assert (result["state"], result["counts"]) == ("partial", {"ok": 3, "failed": 1, "cancelled": 0})
    assert (job.state, job.ok, job.failed) == ("partial", 3, 1)
    assert [page["text"] for page in result["pages"]] == ["page 1", "", "page 3", "page 4"]
    (failed,) = [page for page in ledger.pages(job) if page.state == "failed"]
    assert (failed.number, failed.code) == (2, "storage_error")
    assert result["pages"][1]["error"] == {"code": failed.code, "message": failed.message}

    assert read_all(ledger, spool, ledger.retry(ID, 1)) == [2]
    result = assembled(ledger, spool)
    assert (result["state"], result["counts"]["ok"]) == (ledger.job(ID).state, 4) == ("done", 4)


def test_a_job_whose_pages_are_all_damaged_fails(ledger: Ledger, spool: Spool, tmp_path: Path) -> None:
    read_all(ledger, spool, opened(ledger, pages=3))
    for number in (1, 2, 3):
        file_of(tmp_path, number).write_bytes(b"")
    result = assembled(ledger, spool)
    assert (result["state"], result["counts"]["failed"]) == (ledger.job(ID).state, 3) == ("failed", 3)


def test_a_page_with_fields_of_a_newer_version_is_not_damaged(ledger: Ledger, spool: Spool) -> None:
    read_all(ledger, spool, opened(ledger, pages=1))
    newer = {**spool.read_page(ID, 1), "language": "de"}
    spool.write_page(ID, 1, newer)
    assert assembled(ledger, spool)["pages"] == [newer]


def test_pages_without_structure_are_read_once_and_have_no_blocks(
    ledger: Ledger, spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    read_all(ledger, spool, opened(ledger, 2))
    spool.write_page(ID, 1, page_result(1, PageText(text="page 1", blocks=()), PageFacts()))  # of an earlier round
    asked: list[str] = []
    reading = LocalStorage.reading
    monkeypatch.setattr(LocalStorage, "reading", lambda self, path: asked.append(path) or reading(self, path))
    found = assembled(ledger, spool)
    assert [page["blocks"] for page in found["pages"]] == [None, None]
    pages = [Path(path).stem for path in asked if "/pages/" in path]
    assert (found["structure"], pages) == (False, ["000001", "000002"])
