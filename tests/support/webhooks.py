"""Jobs with webhooks, and senders that call this machine, for tests."""

from typing import Any

from ocrqueue.fetching.addresses import parse_url
from ocrqueue.ledger import Ledger, Publication, Submitter, Webhook
from ocrqueue.ledger.deliveries import Deliveries, Delivery
from ocrqueue.options import Options
from ocrqueue.states import WebhookEvent
from ocrqueue.steps.end import publish_end
from ocrqueue.webhooks.events import end_data, end_event
from ocrqueue.webhooks.sender import Sender
from ocrqueue.webhooks.settings import AllowedUrls, WebhookSettings
from tests.support.ledger_steps import JOB, SOURCE, assembled, read

SECRET = "whsec_" + "A" * 32
DEFAULT = "whsec_" + "B" * 32
ENDS = tuple(event for event in WebhookEvent if event.startswith("job."))
ALL = tuple(WebhookEvent)


def allowed(*urls: str, public: bool = True) -> AllowedUrls:
    return AllowedUrls(public, tuple(map(parse_url, urls)))


def sender(ledger: Ledger, *urls: str, seconds: int = 5, secret: str | None = DEFAULT, **how: Any) -> Sender:
    """A sender that may call 127.0.0.1, or these URLs."""
    return Sender(ledger, WebhookSettings(allowed(*urls) if urls else _Everywhere(True, ()), secret, seconds), **how)


class _Everywhere(AllowedUrls):
    """Allows 127.0.0.1 with any port, which is not known when a test begins."""

    def addresses(self, url: Any) -> Any:
        return allowed(f"http://127.0.0.1:{url.port}/").addresses(url)


def send(ledger: Ledger, **how: Any) -> int:
    """Send what is due, in as many runs as a busy machine needs: no call begins after 0.4 s of a run."""
    tries = 0
    while made := (one := sender(ledger, **how)).run(0.4):
        tries += made
        if not one.has_due():
            break
    return tries


def submitted(ledger: Ledger, url: str, events: tuple[str, ...] = ENDS, secret: str | None = SECRET, **of: Any) -> None:
    """A job with a webhook whose three pages are open."""
    job = of.get("job", JOB)
    submitter = Submitter(of.get("owner"), Webhook(url, events, secret))
    ledger.create(job, SOURCE, Options(pages=of.get("pages")), 1, submitter)
    ledger.begin(job, "document", "opener")
    ledger.open(job, "opener", 3, 1, {"total": 9, "queue": "q", "engine": "e"}, dict.fromkeys(of.get("cached", ())))


def publish(ledger: Ledger, job: str = JOB) -> None:
    """Publish the end as a worker does."""

    def encode(record: Any, summary: Any) -> Publication:
        return Publication("result", 60, (), end_event(record.state), end_data(record, summary))

    assert publish_end(job, ledger, encode)


def ended(ledger: Ledger, url: str, job: str = JOB, **of: Any) -> None:
    """A job with a webhook whose end is published."""
    submitted(ledger, url, job=job, **of)
    read(ledger, None, "engine_error", None, job=job)
    assembled(ledger, job)
    publish(ledger, job)


def only(ledger: Ledger) -> Delivery:
    (delivery,) = Deliveries(ledger).newest_first()
    return delivery


def jobs(count: int, start: int = 0) -> list[str]:
    return [f"{start + i:08d}{JOB[8:]}" for i in range(count)]
