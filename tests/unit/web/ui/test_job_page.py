"""What the job page offers, and what it says about a job."""

import pytest

from ocrqueue.ledger import PageRecord
from ocrqueue.states import JobState, PageState
from ocrqueue.web.ui.job_page import _retry
from ocrqueue.web.ui.strip import Strip
from tests.unit.cli.test_progress import status


@pytest.mark.parametrize(
    ("state", "pages", "code", "offered"),
    [
        (JobState.DONE, {"k": 2}, None, None),
        (JobState.RUNNING, {"timeout": 1}, None, None),
        (JobState.PARTIAL, {"k": 1, "corrupt_file": 1}, None, None),
        (JobState.PARTIAL, {"k": 1, "corrupt_file": 1, "timeout": 1}, None, "retry"),
        (JobState.FAILED, {"too_large": 2}, "too_large", None),
        (JobState.CANCELLED, {"k": 1, "x": 2}, None, "retry_cancelled"),
        (JobState.CANCELLED, {"corrupt_file": 1, "x": 2}, None, "retry_cancelled"),
        (JobState.CANCELLED, {}, None, "retry_cancelled"),
        (JobState.FAILED, {}, "password_required", None),
        (JobState.FAILED, {}, "worker_lost", "retry_document"),
    ],
)
def test_a_retry_is_offered_where_it_may_help(
    state: JobState, pages: dict[str, int], code: str | None, offered: str | None
) -> None:
    states = {"k": PageState.OK, "x": PageState.CANCELLED}
    records = [
        PageRecord(1, states.get(kind, PageState.FAILED), code=None if kind in states else kind)
        for kind, count in pages.items()
        for _ in range(count)
    ]
    counts = {name: sum(record.state == name for record in records) for name in ("ok", "failed", "cancelled")}
    assert _retry(status(state=state, code=code, **counts), Strip.of(records, 1)) == offered
