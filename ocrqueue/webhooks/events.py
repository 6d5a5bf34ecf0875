"""The bodies of deliveries. They have no text of the document, so that they are small and nothing secret leaves."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from ocrqueue.ledger import Job
from ocrqueue.ledger.deliveries import Delivery
from ocrqueue.states import JobState, WebhookEvent

_ENDS = {
    JobState.DONE: WebhookEvent.JOB_DONE,
    JobState.PARTIAL: WebhookEvent.JOB_PARTIAL,
    JobState.FAILED: WebhookEvent.JOB_FAILED,
    JobState.CANCELLED: WebhookEvent.JOB_CANCELLED,
}


def end_event(state: JobState) -> WebhookEvent:
    """The type of the event of a job that ended in this state."""
    return _ENDS[state]


def end_data(job: Job, summary: Mapping[str, Any]) -> str:
    """The data of the event of a job's end, JSON. `summary` is that of `ocrqueue.steps.end.summarise`."""
    return json.dumps({**summary, "round": job.round})


def body(delivery: Delivery, job: Job) -> bytes:
    """The body of a delivery, JSON in UTF-8: type, timestamp (RFC 3339) and data. The same for all tries."""
    is_page = delivery.event == WebhookEvent.PAGE_FINISHED
    return json.dumps(
        {
            "type": delivery.event,
            "timestamp": datetime.fromtimestamp(delivery.created, UTC).isoformat(timespec="milliseconds"),
            "data": _page_data(delivery.data, job) if is_page else delivery.data,
        },
        ensure_ascii=False,
    ).encode("utf-8", "replace")


def _page_data(stored: Mapping[str, Any], job: Job) -> dict[str, Any]:
    """The data of a page's event, from what the ledger has stored."""
    error = {"code": stored["code"], "message": stored["message"]} if "code" in stored else None
    return {
        "job": job.id,
        "name": job.source.name,
        "page": job.numbers.number(int(stored["page"])),
        "state": stored["state"],
        "error": error,
        "pages": int(stored["pages"]),
        "counts": {name: int(stored[name]) for name in ("ok", "failed", "cancelled")},
    }
