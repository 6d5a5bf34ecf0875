"""`ocr.page`: a ticket. It says that a job has pages to read and names none; the ledger says which page is next."""

import logging
from typing import Any

from ocrqueue import names
from ocrqueue.ledger import NewerRecord, TooLate
from worker import engines
from worker.app import app
from worker.claims import ClaimTask
from worker.context import claim_sizes, ledger, redis
from worker.dispatch import dispatch, pass_on
from worker.messages import parse_job
from worker.publication.results import show_progress
from worker.steps import read_pages, structure_pages

log = logging.getLogger(__name__)


@app.task(bind=True, base=ClaimTask, name=names.PAGE)
def page(self: ClaimTask, *args: Any, version: Any = names.VERSION, **more: Any) -> dict[str, int]:
    """Read the job's next page, or several if they need no engine, or it reads in batches; returns how many were read.

    A structuring needs no engine: the structure of its next page is found.
    """
    if len(args) != 3 or more or not all(type(n) is int and n >= 0 for n in args[1:]):
        raise self.refuse(f"arguments that are not (job, lane, serial): {[*args, *more]!r}")
    job, lane, serial = parse_job(self, args[0], version), args[1], args[2]
    queue = (self.request.delivery_info or {}).get("routing_key", "")
    is_structuring = version > names.FIRST_VERSION and redis().hexists(names.job_key(job), "structures")
    loaded = None if is_structuring else engines.load(queue)
    if loaded is None and not is_structuring:
        pass_on(self)
        return {"pages": 0}
    most = claim_sizes().of(job, loaded.engine.batch) if loaded else 1
    children = engines.children_sharing(queue, most)
    try:
        with self.claiming(lambda alone: ledger().claim(job, lane, serial, self.token, most, children, alone)) as claim:
            if claim is None:
                return {"pages": 0}
            step, pages = read_pages(claim, loaded) if loaded else structure_pages(claim)
    except TooLate:
        dispatch(ledger().keep(job).messages)
        return {"pages": 0}
    except NewerRecord as e:
        raise self.refuse(e.message) from None
    if step.done:
        dispatch(step.messages)
        if "ok" in step.reply:  # not if the pages were given back
            show_progress(job, dict(step.reply))
    else:
        log.warning("job=%s: its claim was lost meanwhile, so the pages that were read do not count", job)
    return {"pages": pages}
