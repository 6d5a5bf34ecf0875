"""An upgrade while jobs run: new workers start next to the old ones, which are then stopped by SIGTERM."""

import re

import pytest

from ocrqueue import names
from ocrqueue.client import Job
from ocrqueue.ledger import scripts
from tests.support import newer, numbered
from tests.support.faults import eventually, supervised

SLOW = "slow=tests.support.engines:Slow"


def finished(job: Job) -> None:
    """Each page was read once, and no claim was lost."""
    status = job.wait(timeout=100)
    assert (status.state, status.failed) == ("done", 0)
    pages = job.result()["pages"]
    assert [(p["text"], p["attempts"]) for p in pages] == [(numbered.text(n), 0) for n in range(1, len(pages) + 1)]


@pytest.mark.thorough
@pytest.mark.timeout(300)
def test_new_workers_beside_old_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    with supervised(OCR_LEASE_SECONDS="12") as stack:  # a busy machine may delay a renewal by some seconds
        stack.start_documents("old-documents", children=1)
        stack.start_worker("old", engines=SLOW, children=2)
        stack.start_beat()
        old = [stack.client().submit(numbered.document(20, salt=100), engine="slow")]
        eventually(lambda: old[0].status().ok)
        stack.start_documents("new-documents", children=1, TEST_VERSION="3")
        stack.start_worker("new", engines=SLOW, children=1, TEST_VERSION="3")

        def has_read_an_old_record() -> bool:
            if old[-1].status().has_ended:  # before the new workers were up: on a slow machine they need another job
                old.append(stack.client().submit(numbered.document(20, salt=100 + len(old)), engine="slow"))
            return any(f"job={job.id} page=" in stack.text("new") for job in old)

        eventually(has_read_an_old_record, 100)
        monkeypatch.setattr(names, "VERSION", 3)
        monkeypatch.setattr(names, "FIRST_VERSION", 3)
        monkeypatch.setattr(scripts, "source", newer.source)
        new = [stack.client().submit(numbered.document(4, salt=n), engine="slow") for n in (2, 3, 4)]
        eventually(lambda: "3; this" in stack.text("old-documents") + stack.text("old"), 100)
        for name in ("old", "old-documents"):
            process = stack.processes.pop(name)
            process.terminate()
            assert process.wait(100) == 0
        for job in (*old, *new):
            finished(job)
        for name in ("old", "old-documents"):
            assert not re.search(rf"job=({'|'.join(job.id for job in new)}) page=\d+ read", stack.text(name))
        assert not stack.redis.exists(names.CLAIMS, names.OPEN, names.DEAD)
