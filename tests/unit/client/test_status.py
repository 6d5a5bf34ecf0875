"""The status of a job."""

from ocrqueue.client.status import status_of
from ocrqueue.ledger import NOBODY, Job, Source
from ocrqueue.ledger.workers import Worker
from ocrqueue.options import Options
from ocrqueue.states import JobState


def job(state: str, **changes: object) -> Job:
    values: dict[str, object] = dict.fromkeys(Job.__dataclass_fields__)
    values |= {"id": "j", "state": JobState(state), "round": 1, "source": Source("a.pdf"), "options": Options()}
    values |= {"created": 0.0, "ok": 0, "failed": 0, "cancelled": 0, "cancelling": False, "lanes": 0}
    return Job(**{**values, "submitter": NOBODY, **changes})  # type: ignore[arg-type]


def worker(*queues: str) -> Worker:
    return Worker("w", "host", 1, "0.1.0", queues)


def test_the_status_names_the_missing_worker() -> None:
    reading = job("running", pages=3, ok=1, queue="pages.rapidocr", engine="rapidocr")
    assert "no worker reads pages.rapidocr; start one" in str(status_of(reading, [worker("documents")]).waiting_for)
    assert status_of(reading, [worker("pages.rapidocr")]).waiting_for is None
    with_model = job("running", pages=3, ok=1, queue="pages.mlx-vlm.org/dots.mocr", engine="mlx-vlm")
    waiting_for = str(status_of(with_model, [worker("pages.rapidocr")]).waiting_for)
    assert "check it with `submit.py models check org/dots.mocr`" in waiting_for
    assert "start a worker with OCR_MODEL=org/dots.mocr" in waiting_for
    assert "no worker opens documents" in str(status_of(job("queued"), [worker("pages.rapidocr")]).waiting_for)
    assert status_of(job("queued"), [worker("documents")]).waiting_for is None
    read = job("running", pages=3, ok=3, queue="pages.rapidocr", engine="rapidocr")
    assert "puts the pages together" in str(status_of(read, [worker("pages.rapidocr")]).waiting_for)
    assert status_of(job("done", pages=3, ok=3, published=True), []).waiting_for is None


def test_a_job_keeps_its_engine_while_another_one_reads_pages_again() -> None:
    own = {"engine": "rapidocr", "model": "PP-OCRv6", "queue": "pages.rapidocr"}
    other = {"engine": "tesseract", "model": "tesseract-5", "queue": "pages.tesseract"}
    shown = status_of(job("running", pages=3, ok=1, first=own, **other), [worker("pages.rapidocr")])
    assert (shown.engine, shown.model, shown.queue) == tuple(own.values())
    assert (shown.read_again_by, shown.waiting_for) == ("tesseract", None)
    assert status_of(job("running", pages=3, ok=1, **own), []).read_again_by is None


def test_a_job_is_shown_as_ended_once_its_end_is_published() -> None:
    ended = {"pages": 3, "failed": 3, "ended": 9.0, "code": "worker_lost", "message": "m"}
    hidden = status_of(job("failed", **ended, published=False), [worker("documents")])
    assert (hidden.state, hidden.has_ended, hidden.ended, hidden.code) == ("running", False, None, None)
    shown = status_of(job("failed", **ended, published=True), [])
    assert (shown.state, shown.has_ended, shown.ended, shown.code) == ("failed", True, 9.0, "worker_lost")
    assert status_of(job("failed", code="corrupt_file", published=False), []).state == "queued"
