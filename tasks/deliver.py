"""`ocr.deliver`: sends the calls of webhooks that are due. Sent with each event, and by the reconciler."""

from typing import Any

import worker_config as config
from ocrqueue import names
from ocrqueue.ledger import Message
from ocrqueue.states import MessageKind
from ocrqueue.webhooks.sender import Sender
from worker.app import app
from worker.context import ledger
from worker.dispatch import dispatch

_SECONDS = 10  # after which a run makes room for other tasks of this worker


@app.task(name=names.DELIVER)
def deliver(**_: Any) -> dict[str, int]:
    """Send the deliveries that are due; returns how many tries were made."""
    sender = Sender(ledger(), config.WEBHOOKS)
    tries = sender.run(_SECONDS)
    if tries and sender.has_due():
        dispatch([Message(MessageKind.DELIVER, "")])
    return {"tries": tries}
