"""Does the work of the workers for a job, with a real ledger and spool, but without a worker."""

import json
from collections.abc import Sequence
from typing import Any
from uuid import uuid4

from ocrqueue.blocks import Block, BlockKind
from ocrqueue.client import Client, Job
from ocrqueue.errors import PageError
from ocrqueue.ledger import Job as Record
from ocrqueue.ledger import Message, Publication
from ocrqueue.pages import Line, PageText, PageWarning
from ocrqueue.states import WarningCode
from ocrqueue.steps.assemble import assemble
from ocrqueue.steps.end import publish_end, record_end
from ocrqueue.storage import results
from ocrqueue.webhooks.events import end_data, end_event

BOX = ((0.0, 0.0), (9.0, 0.0), (9.0, 9.0), (0.0, 9.0))
FAILED = PageError("engine_error", "the engine failed; see the worker log")
CUT_OFF = PageWarning(WarningCode.CUT_OFF, "the text was cut off")
RECORD: dict[str, object] = {"engine": "rapidocr", "model": "tiny", "revision": "1", "queue": "pages.rapidocr"}


class Reader:
    """Opens, reads and assembles a job, page by page."""

    def __init__(self, client: Client, job: Job) -> None:
        self.ledger, self.spool, self.id = client.ledger, client.spool, job.id
        self.tickets: list[Message] = []

    def open(self, pages: int) -> None:
        token = str(uuid4())
        assert self.ledger.begin(self.id, "document", token)
        self.tickets = self.ledger.open(self.id, token, pages, 1, {"total": pages, **RECORD}).messages

    def refuse(self, error: PageError) -> None:
        token = str(uuid4())
        assert self.ledger.begin(self.id, "document", token)
        self.ledger.refuse(self.id, token, error)
        self.publish()

    def read(self, failing: Sequence[int] = (), warned: Sequence[int] = ()) -> None:
        """Read all open pages (those in `failing` fail, those in `warned` are cut off), and assemble the result."""
        while self.tickets:
            self.step(failing, warned)

    def step(self, failing: Sequence[int] = (), warned: Sequence[int] = ()) -> None:
        ticket, token = self.tickets.pop(0), str(uuid4())
        if ticket.kind == "page" and (claim := self.ledger.claim(self.id, *ticket.args, token)):
            (page,) = claim.pages
            if page.number not in failing:
                warnings = (CUT_OFF,) * (page.number in warned)
                line = f"page {page.number}"
                asked = claim.job.options.wants_structure
                blocks = (Block(BlockKind.PARAGRAPH, BOX, (0,), line),) if asked else None
                text = PageText([Line(line, BOX, 0.9)], warnings=warnings, blocks=blocks)
                self.spool.write_page(self.id, page.number, results.page_result(page.number, text, results.PageFacts()))
            error = FAILED if page.number in failing else None
            self.tickets += self.ledger.finish(claim, {page.number: error}).messages
        elif ticket.kind == "assemble" and (job := self.ledger.begin(self.id, "assemble", token, *ticket.args)):
            assemble(job, token, self.ledger, self.spool)
            self.publish()

    def publish(self) -> None:
        """Publish the end of the job; until then clients see it as running."""

        def encode(job: Record, summary: dict[str, Any]) -> Publication:
            end = {"event": end_event(job.state), "data": end_data(job, summary)}
            return Publication(json.dumps(summary), seconds=60, **end)

        end = publish_end(self.id, self.ledger, encode)
        assert end
        record_end(end, self.ledger, self.spool)


def read(client: Client, job: Job, pages: int = 3, failing: Sequence[int] = ()) -> None:
    """Do all the work of the workers for a job of so many pages; those in `failing` fail."""
    reader = Reader(client, job)
    reader.open(pages)
    reader.read(failing)
