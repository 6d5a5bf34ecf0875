"""`ocr.assemble`: makes the result of a job whose pages are all finished, and ends the job."""

from typing import Any

from ocrqueue import names
from ocrqueue.ledger import NewerRecord
from worker.app import app
from worker.claims import ClaimTask
from worker.messages import parse_job
from worker.steps import assemble_round


@app.task(bind=True, base=ClaimTask, name=names.ASSEMBLE)
def assemble(self: ClaimTask, *args: Any, version: Any = names.VERSION, **more: Any) -> None:
    """Write the result of a round, and end the job. The message of an earlier round changes nothing."""
    if len(args) != 2 or more or type(args[1]) is not int:
        raise self.refuse(f"arguments that are not (job, round): {[*args, *more]!r}")
    job = parse_job(self, args[0], version)
    try:
        assemble_round(self, job, args[1])
    except NewerRecord as e:
        raise self.refuse(e.message) from None
