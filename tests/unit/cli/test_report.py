"""Messages and exit codes of the command line."""

import pytest

from ocrqueue.cli.report import (
    READ,
    Outcome,
    code_of_error,
    code_of_state,
    complain,
    progress_of,
    report,
    report_pages,
    summary,
    worst,
)
from ocrqueue.client.status import JobStatus
from ocrqueue.errors import (
    DocumentError,
    InvalidOptions,
    JobTimeout,
    OcrError,
    OcrFailed,
    QueueFull,
    QueueUnavailable,
    UnknownJob,
    WrongState,
)
from ocrqueue.ledger import PageRecord
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


@pytest.mark.parametrize(
    ("codes", "expected"),
    [([], 0), ([0, 0], 0), ([0, 5], 5), ([5, 3], 3), ([3, 4, 5], 4), ([4, 6, 3], 6), ([0, 3, 0], 3)],
)
def test_the_worst_of_several_exit_codes_counts(codes: list[int], expected: int) -> None:
    assert worst(codes) == expected


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (InvalidOptions("x"), 2),
        (DocumentError("x", "too_large"), 4),
        (OcrFailed("corrupt_file: x"), 4),
        (UnknownJob("x"), 4),
        (WrongState("x"), 4),
        (JobTimeout("x"), 5),
        (QueueUnavailable("x"), 6),
        (QueueFull("x"), 6),
    ],
)
def test_each_error_has_its_exit_code(error: OcrError, expected: int) -> None:
    assert code_of_error(error) == expected


@pytest.mark.parametrize(
    ("state", "expected"), [("queued", 0), ("running", 0), ("done", 0), ("partial", 3), ("failed", 4), ("cancelled", 4)]
)
def test_each_state_has_its_exit_code(state: str, expected: int) -> None:
    assert code_of_state(state) == expected


def test_an_error_is_one_line_with_subject_and_code(capsys: pytest.CaptureFixture[str]) -> None:
    report(DocumentError("it is\ntorn; send another", "corrupt_file"), "broken.pdf")
    assert capsys.readouterr().err == "error: broken.pdf: corrupt_file: it is torn; send another\n"


def test_control_characters_are_never_printed(capsys: pytest.CaptureFixture[str]) -> None:
    complain("no job \x1b[2J of \x9b31m\u202ethat name\rok", "a\x1b]0;title\x07.pdf")
    assert capsys.readouterr().err == "error: a]0;title.pdf: no job [2J of 31mthat name ok\n"


def test_the_code_of_a_failed_job_is_printed_once(capsys: pytest.CaptureFixture[str]) -> None:
    report(OcrFailed("corrupt_file: it is torn; send another"), "broken.pdf")
    assert capsys.readouterr().err == "error: broken.pdf: corrupt_file: it is torn; send another\n"


def test_failed_pages_are_printed_up_to_a_limit(capsys: pytest.CaptureFixture[str]) -> None:
    report_pages("a.pdf", [PageRecord(n, "failed", 0, "timeout", "too slow") for n in range(1, 31)])
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "error: a.pdf: page 1: timeout: too slow"
    assert len(lines) == 21
    assert "10 more" in lines[-1]


def test_the_progress_of_an_ended_job_counts_the_pages_that_were_read() -> None:
    assert (
        progress_of(status(state=JobState.CANCELLED, pages=4, ok=1, cancelled=3))
        == "cancelled, 1 of 4 pages, 3 cancelled"
    )


def test_the_progress_of_a_job_that_is_being_cancelled_counts_no_cancelled_pages() -> None:
    line = progress_of(status(pages=5, ok=1, cancelled=3, cancelling=True))
    assert line == "cancelling, 1 of 5 pages, 3 cancelled"


def test_messages_name_the_program_as_it_was_called(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    module = "/usr/lib/ocrqueue/__main__.py"
    expected = {"submit.py": "submit.py", "/usr/bin/ocr-queue": "ocr-queue", module: "ocr-queue", "-c": "submit.py"}
    for called, name in expected.items():
        monkeypatch.setattr("sys.argv", [called])
        complain("no job: see `submit.py jobs`", "submit.py")
        assert capsys.readouterr().err == f"error: submit.py: no job: see `{name} jobs`\n"


def test_progress_names_what_a_job_waits_for() -> None:
    line = progress_of(status(pages=8, ok=2, failed=1, waiting_for="no worker reads pages.rapidocr"))
    assert line == "running, 3 of 8 pages, 1 failed, no worker reads pages.rapidocr"


def test_what_was_not_read_well_is_named() -> None:
    outcomes = [Outcome(f"{n}.pdf", READ) for n in range(38)]
    outcomes += [Outcome("a.pdf", READ, is_poor=True), Outcome("b.pdf", READ, is_poor=True), Outcome("c.pdf", "failed")]
    assert summary(outcomes) == "40 read, 2 of them poorly: a.pdf, b.pdf; 1 failed: c.pdf"


def test_few_of_many_are_named() -> None:
    line = summary([Outcome(f"{n}.pdf", "failed") for n in range(7)])
    assert line == "0 read; 7 failed: 0.pdf, 1.pdf, 2.pdf, 3.pdf, 4.pdf and 2 more"
