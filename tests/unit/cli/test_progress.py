"""Progress of jobs on stderr."""

import pytest

from ocrqueue.cli.progress import Lines, progress
from ocrqueue.client.status import JobStatus
from ocrqueue.states import JobState


def status(**changes: object) -> JobStatus:
    values: dict[str, object] = dict.fromkeys(JobStatus.__dataclass_fields__)
    values |= {
        "id": "j",
        "name": "scan.pdf",
        "state": JobState.RUNNING,
        "ok": 0,
        "failed": 0,
        "cancelled": 0,
        "cancelling": False,
    }
    return JobStatus(**{**values, **changes})  # type: ignore[arg-type]


def test_a_line_is_printed_when_the_state_changes_and_not_for_every_page(capsys: pytest.CaptureFixture[str]) -> None:
    lines = Lines({})
    for state, ok in ((JobState.QUEUED, 0), *((JobState.RUNNING, n) for n in range(3)), (JobState.DONE, 3)):
        lines.update({"j": status(state=state, pages=None if state == "queued" else 3, ok=ok)})
    assert capsys.readouterr().err.splitlines() == [
        "scan.pdf: queued",
        "scan.pdf: running, 0 of 3 pages",
        "scan.pdf: done, 3 of 3 pages",
    ]


def test_documents_with_the_same_name_are_told_apart(capsys: pytest.CaptureFixture[str]) -> None:
    lines = progress({"j": "a/scan.pdf", "k": "b/scan.pdf"}, is_quiet=False)
    lines.update({name: status(id=name, state=JobState.QUEUED) for name in ("j", "k")})
    assert capsys.readouterr().err.splitlines() == ["a/scan.pdf: queued", "b/scan.pdf: queued"]
