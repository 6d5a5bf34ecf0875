"""`ocr.document`: opens a document. Its id is the job's id; its result is the end of the job, not of this task."""

import logging
from typing import Any

from celery.exceptions import Ignore

from ocrqueue import names
from ocrqueue.ledger import NewerRecord, Step
from ocrqueue.states import MessageKind
from worker.app import app
from worker.claims import DocumentTask
from worker.context import ledger
from worker.dispatch import dispatch
from worker.messages import accept_plain, parse_job, refuse_unknown
from worker.steps import assemble_round, open_document

log = logging.getLogger(__name__)


@app.task(bind=True, base=DocumentTask, name=names.DOCUMENT, ignore_result=False)
def document(self: DocumentTask, *args: Any, version: Any = names.VERSION, **given: Any) -> None:
    """Open the job's document. A plain message brings `source` and `options`, and makes the job first."""
    self.leave_open()
    job = parse_job(self, self.request.id, version)
    try:
        wrong = accept_plain(self, job, args, given)
        with self.claiming(lambda alone: ledger().begin(job, MessageKind.DOCUMENT, self.token, alone=alone)) as record:
            step = open_document(record, self.token, wrong) if record else None
        if step:
            _go_on(self, job, step)
        elif record is None:
            refuse_unknown(self, job)
    except NewerRecord as e:
        raise self.refuse(e.message) from None
    except Ignore:
        raise
    except Exception:
        log.exception("job=%s: internal error; if the job exists, the reconciler goes on with it", job)


def _go_on(task: DocumentTask, job: str, step: Step) -> None:
    """Send what follows; but a job whose pages all came from the cache is assembled here, without another message."""
    finished = [message for message in step.messages if message.kind == MessageKind.ASSEMBLE]
    dispatch(message for message in step.messages if message not in finished)
    for message in finished:
        assemble_round(task, job, *message.args)
