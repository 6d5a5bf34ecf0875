"""Accepts a plain message: checks it and creates its job."""

import re
from collections.abc import Callable

from ocrqueue.errors import InvalidOptions, OcrError
from ocrqueue.ledger import NOBODY, Creation, Ledger, Source, Submitter, Webhook
from ocrqueue.options import Options
from ocrqueue.webhooks.parameters import parse_webhook


def accept(
    job: str, source: object, options: object, webhook: object, ledger: Ledger, max_queued_pages: int,
    check: Callable[[Webhook], None] = lambda _: None,
) -> bool:  # fmt: skip
    """Create the job of a plain message. Returns whether the job is new.

    `check` raises DocumentError for a webhook that is never called. Raises InvalidOptions if the message is malformed,
    and QueueFull if the job is new and the queue is full.
    """
    what = parse_source(source), Options.parse(options if options is not None else {})
    submitter = Submitter(webhook=parse_plain_webhook(webhook)) if webhook is not None else NOBODY
    if submitter.webhook:
        check(submitter.webhook)
    (found,) = ledger.create_all([Creation(job, *what, submitter=submitter, open_pages=max_queued_pages)])
    if isinstance(found, OcrError):
        raise found
    return bool(found.reply["created"])


def parse_source(source: object) -> Source:
    """The source in a plain message: {"path": ...}, {"url": ...} or {"spool": "source-<sha256>"}.

    Raises InvalidOptions.
    """
    if not isinstance(source, dict) or len(source) != 1 or not all(isinstance(v, str) and v for v in source.values()):
        raise InvalidOptions('source must be {"path": "…"}, {"url": "…"} or {"spool": "source-<sha256>"}')
    kind, value = next(iter(source.items()))
    if kind == "spool":
        if not re.fullmatch("source-[0-9a-f]{64}", value):
            raise InvalidOptions(f"a source in the spool is named source-<sha256>, not {value[:80]!r}")
        return Source(name=value, file=value, sha256=value.removeprefix("source-"))
    if kind not in ("path", "url"):
        raise InvalidOptions(f"a source has the key path, url or spool, not {kind!r}")
    return Source(name=value.rstrip("/").rpartition("/")[2] or value, spec={kind: value})


def parse_plain_webhook(given: object) -> Webhook:
    """The webhook in a plain message: a URL or {"url": ..., "events": [...]}. Raises InvalidOptions.

    It has no secret, because Flower and every worker's log may show the arguments of a message.
    """
    webhook = parse_webhook(given)
    if webhook.secret is not None:
        raise InvalidOptions(
            "a message must not have the secret of its webhook: set OCR_WEBHOOK_SECRET for the workers"
        )
    return webhook
