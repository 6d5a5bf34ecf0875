"""One of two workers loses the spool while it runs, such as the mount of its machine: the other one reads the pages."""

from collections.abc import Iterator

import pytest

from ocrqueue import names
from tests.support import numbered
from tests.support.harness import Stack, eventually, running

SLOW = "slow=tests.support.engines:Slow"


@pytest.fixture
def stack() -> Iterator[Stack]:
    with running() as stack:
        yield stack


@pytest.mark.thorough
def test_a_worker_that_loses_the_spool_leaves_its_pages_to_others(stack: Stack) -> None:
    spool = stack.folder / "data" / "spool"
    spool.mkdir(parents=True, mode=0o700)
    mount = stack.folder / "mount"
    mount.symlink_to(spool)
    stack.start_documents(children=1)
    stack.start_worker("good", SLOW, children=1)
    stack.start_worker("sick", SLOW, children=1, OCR_SPOOL_URL=str(mount), OCR_DATA_DIR=str(stack.folder / "other"))
    jobs = [stack.client().submit(numbered.document(12, salt=salt), engine="slow") for salt in (1, 2)]
    eventually(lambda: sum(job.status().ok for job in jobs) >= 2)
    mount.unlink()
    eventually(lambda: "takes no messages of pages.slow for a minute: the spool" in stack.submit("doctor").stdout, 60)
    for job in jobs:
        status = job.wait(timeout=90)
        assert (status.state, status.failed) == ("done", 0)
        assert {page["attempts"] for page in job.result()["pages"]} == {0}, "a page is not to blame"
    log = stack.text("sick")
    assert "no pages for this engine here for 60 s" in log
    assert "is not there: mount or create it" in log
    assert len(stack.client().redis.keys(f"{names.PREFIX}unable:*:slow")) == 1


@pytest.mark.thorough
def test_documents_are_opened_and_assembled_by_the_worker_that_has_the_spool(stack: Stack) -> None:
    spool = stack.folder / "data" / "spool"
    spool.mkdir(parents=True, mode=0o700)
    mount = stack.folder / "mount"
    mount.symlink_to(spool)
    stack.start_worker()
    stack.start_documents("good", children=1)
    stack.start_documents("sick", 1, OCR_SPOOL_URL=str(mount), OCR_DATA_DIR=str(stack.folder / "other"))
    mount.unlink()
    jobs = [stack.client().submit(numbered.document(2, salt=salt)) for salt in range(10)]
    assert {job.wait(timeout=90).state for job in jobs} == {"done"}
    assert "given back, because the storage is away" in stack.text("sick")


@pytest.mark.thorough
def test_a_worker_with_another_spool_does_not_start(stack: Stack) -> None:
    """An empty folder, where the shared one is not mounted, would fail all pages as lost."""
    shared = {"OCR_SPOOL_URL": str(stack.folder / "shared" / "spool")}
    stack.start_worker(**shared)
    stack.start_worker("second", **shared)
    for name, folder in (("empty", stack.folder / "unmounted" / "spool"), ("copy", stack.folder / "data" / "spool")):
        if name == "copy":  # of the data folder of another queue
            folder.mkdir(parents=True, mode=0o700)
            (folder / ".spool").write_text("0" * 32)
        command = stack._celery("worker", "-n", f"{name}@test")
        process = stack.spawn(name, command, **{**shared, "OCR_SPOOL_URL": str(folder)})
        assert process.wait(60) == 1
        (line,) = [line for line in stack.text(name).splitlines() if line.startswith("ocr:")]
        assert f"the spool {folder} is not the one that this queue uses: mount that one" in line
    stack.client().redis.delete(names.SPOOL)
    stack.kill("worker")
    stack.kill("second")
    stack.start_worker("again", **shared)
    assert stack.client().redis.get(names.SPOOL) == (stack.folder / "shared" / "spool" / ".spool").read_text()
