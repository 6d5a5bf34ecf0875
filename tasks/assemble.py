"""`ocr.assemble`: makes the result of a job whose pages are all finished, and ends the job."""

from typing import Any

from ocrqueue import names
from ocrqueue.ledger import NewerRecord
from ocrqueue.states import MessageKind
from worker.app import app
from worker.claims import ClaimTask
from worker.context import ledger
from worker.dispatch import dispatch
from worker.messages import parse_job
from worker.steps import assemble as assemble_job


@app.task(bind=True, base=ClaimTask, name=names.ASSEMBLE)
def assemble(self: ClaimTask, *args: Any, version: Any = names.VERSION, **more: Any) -> None:
    """Write the result of a round, and end the job. The message of an earlier round changes nothing."""
    if len(args) != 2 or more or type(args[1]) is not int:
        raise self.refuse(f"arguments that are not (job, round): {[*args, *more]!r}")
    job = parse_job(self, args[0], version)
    try:
        with self.claiming(
            lambda alone: ledger().begin(job, MessageKind.ASSEMBLE, self.token, args[1], alone)
        ) as record:
            step = assemble_job(record, self.token) if record else None
    except NewerRecord as e:
        raise self.refuse(e.message) from None
    if step:
        dispatch(step.messages)
