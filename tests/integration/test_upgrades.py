"""An upgrade while jobs run: new workers start beside the old ones, which are then drained by SIGTERM."""

import re

import pytest

from ocrqueue import names
from ocrqueue.client import Job
from ocrqueue.ledger import scripts
from tests.support import newer, numbered
from tests.support.faults import eventually, supervised

SLOW = "slow=tests.support.engines:Slow"


def finished(job: Job) -> None:
    """Each page was read once, in the version that its job was made in, and no claim was lost."""
    status = job.wait(timeout=60)
    assert (status.state, status.failed) == ("done", 0)
    pages = job.result()["pages"]
    assert [(p["text"], p["attempts"]) for p in pages] == [(numbered.text(n), 0) for n in range(1, len(pages) + 1)]


def test_new_workers_beside_old_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    with supervised() as stack:
        stack.start_documents("old-documents", children=1)
        stack.start_worker("old", engines=SLOW, children=2)
        stack.start_beat()
        before = stack.client().submit(numbered.document(20, salt=1), engine="slow")
        eventually(lambda: before.status().ok)
        stack.start_documents("new-documents", children=1, TEST_VERSION="2")
        stack.start_worker("new", engines=SLOW, children=1, TEST_VERSION="2")
        eventually(lambda: f"job={before.id} page=" in stack.text("new"))  # a record of the version before
        monkeypatch.setattr(names, "VERSION", 2)
        monkeypatch.setattr(scripts, "source", newer.source)
        after = [stack.client().submit(numbered.document(4, salt=n), engine="slow") for n in (2, 3, 4)]
        eventually(lambda: "2; this" in stack.text("old-documents") + stack.text("old"), 30)
        for name in ("old", "old-documents"):
            process = stack.processes.pop(name)
            process.terminate()
            assert process.wait(30) == 0
        for job in (before, *after):
            finished(job)
        for name in ("old", "old-documents"):
            assert not re.search(rf"job=({'|'.join(job.id for job in after)}) page=\d+ read", stack.text(name))
        assert not stack.redis.exists(names.CLAIMS, names.OPEN, names.DEAD)
