"""Poorly read pages are read once more, by another engine; the better reading of a page is kept.

When every page of a job was read, the ledger opens the poorly read ones for the other engine. No page is read a third
time. The first reading stays in the job's folder until a better one takes its place, so nothing is lost if the other
engine fails, is gone, or takes too long.
"""

from collections.abc import Mapping
from typing import Any

from ocrqueue.errors import PageError
from ocrqueue.ledger import Job, Measured
from ocrqueue.pages import READ_AGAIN
from ocrqueue.quality import is_measured
from ocrqueue.quality.agreement import is_credible
from ocrqueue.states import WarningCode
from ocrqueue.storage.results import Reading


def better(first: Mapping[str, Any] | None, second: dict[str, Any]) -> tuple[dict[str, Any], bool]:
    """The reading with the higher quality, with both in its `readings`, and whether it is the second one.

    If they are equal, it is the first. If the second engine was not measured, see `agreement`.
    """
    if first is None:
        return second, True
    if is_measured(second["engine"]):
        is_better = (second["quality"] or 0) > (first.get("quality") or 0)
    else:
        is_better = is_credible(first, second)
    better_one = second if is_better else first
    readings = [_reading(first, not is_better), _reading(second, is_better, _reason(first))]
    return {**better_one, "readings": readings}, is_better


def kept(first: Mapping[str, Any], job: Job, error: PageError) -> dict[str, Any]:
    """The first reading, with a note of the error that the other engine ended in."""
    tried = Reading(
        engine=job.engine, model=job.model, revision=job.revision, quality=None, seconds=0, kept=False,
        reason=_reason(first), error={"code": error.code, "message": error.message},
    )  # fmt: skip
    return {**first, "readings": [_reading(first, True), tried]}


def may_be_cached(page: Mapping[str, Any]) -> bool:
    """Whether the page cache may have a page: it has no warning but such as it would get again."""
    return {warning["code"] for warning in page["warnings"]} <= {
        WarningCode.POORLY_READ,
        WarningCode.UNKNOWN_CHARACTERS,
    }


def measured(page: Mapping[str, Any]) -> Measured:
    """What is measured of a page that is stored."""
    seconds, confidence = (None, None) if page["cached"] else (page["seconds"], page["confidence"])
    readings = page.get("readings") or []
    second = [{"engine": one["engine"], "model": one["model"]} for one in readings[1:] if not one["error"]]
    return Measured(seconds, confidence, page.get("quality"), bool(readings), second[0] if second else None)


def _reason(first: Mapping[str, Any]) -> str:
    """Why a page is read again, for people."""
    return f"the first reading has a quality of {first.get('quality') or 0:.2f}, which is below {READ_AGAIN}"


def _reading(page: Mapping[str, Any], is_kept: bool, reason: str | None = None) -> Reading:
    return Reading(
        engine=page["engine"], model=page["model"], revision=page["revision"], quality=page.get("quality"),
        seconds=page["seconds"], kept=is_kept, reason=reason, error=None,
    )  # fmt: skip
