"""Who submitted a job, and the webhook that it names: in the ledger and, in case Redis loses its data, in the spool."""

import json
from concurrent.futures import ThreadPoolExecutor

import pytest
import redis as redis_py

from ocrqueue import names
from ocrqueue.client import Client
from ocrqueue.errors import InvalidOptions, OcrError
from ocrqueue.ledger import NOBODY, Creation, Ledger, Step, Submitter, Webhook
from ocrqueue.options import Options
from ocrqueue.steps.reconciler import Reconciler
from ocrqueue.webhooks.parameters import WebhookParameters
from tests.support.ledger_steps import JOB, SOURCE, assembled, dump, read

OTHER = "0f0c9a52-6f6e-4b1e-9d55-0a4f7a2b7c12"
SECRET = "whsec_" + "A" * 32
HOOK = Webhook("https://example.org/hook", ("job.done",), SECRET)


def create(ledger: Ledger, job: str, submitter: Submitter) -> None:
    ledger.create(job, SOURCE, Options(), 1, submitter)
    ledger.begin(job, "document", "opener")
    ledger.open(job, "opener", 3, 1, {"total": 3, "queue": "q"})


def test_the_jobs_and_open_pages_of_an_owner(ledger: Ledger) -> None:
    create(ledger, JOB, Submitter("invoices"))
    create(ledger, OTHER, NOBODY)
    ledger.create("queued", SOURCE, Options(), 1, Submitter("invoices"))
    assert ledger.jobs("invoices") == [JOB, "queued"]
    assert (ledger.backlog("invoices"), ledger.backlog("letters"), ledger.backlog()) == (13, 0, 16)
    read(ledger, None, None)
    assert ledger.backlog("invoices") == 11
    read(ledger, None)
    assembled(ledger)
    assert ledger.backlog("invoices") == 10
    assert ledger.jobs("invoices") == [JOB, "queued"], "a job stays after its end"


@pytest.mark.parametrize(
    ("allowed", "submitter", "error"),
    [(None, Submitter("invoices", None, 23), "too_many_open_pages"), (23, NOBODY, "queue_full")],
    ids=["of an owner", "of all"],
)
def test_submissions_at_once_do_not_pass_a_limit(
    ledger: Ledger, allowed: int | None, submitter: Submitter, error: str
) -> None:
    """13 pages are open, and each submission counts as ten until its document is opened."""
    create(ledger, JOB, submitter)
    ledger.create("queued", SOURCE, Options(), 1, submitter)

    def submit(number: int) -> Step | OcrError:
        (found,) = ledger.create_all([Creation(f"{number}", SOURCE, Options(), 1, submitter, open_pages=allowed)])
        return found

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(submit, range(8)))
    assert [one.code for one in found if isinstance(one, OcrError)] == [error] * 7
    (created,) = [number for number, one in enumerate(found) if isinstance(one, Step)]
    assert sorted(ledger.jobs()) == sorted([JOB, "queued", f"{created}"])
    assert isinstance(submit(created), Step), "a job that exists is not refused"


def test_a_dropped_job_is_no_longer_its_owners(ledger: Ledger, redis: "redis_py.Redis") -> None:
    create(ledger, JOB, Submitter("invoices", HOOK))
    read(ledger, None, None, None)
    assembled(ledger)
    ledger.drop(JOB)
    assert ledger.jobs("invoices") == []
    assert not any(JOB in json.dumps(value) for value in dump(redis).values())


def test_a_job_of_a_client_without_a_key_has_no_more_fields_than_before(
    ledger: Ledger, redis: "redis_py.Redis"
) -> None:
    create(ledger, JOB, NOBODY)
    assert not {"owner", "webhook"} & redis.hgetall(names.job_key(JOB)).keys()
    assert ledger.job(JOB).submitter == NOBODY
    assert ledger.jobs("") == []


def test_a_submission_keeps_its_owner_and_webhook(client: Client) -> None:
    webhook: WebhookParameters = {"url": HOOK.url, "events": ["job.done"], "secret": SECRET}
    job = client.submit(b"x", owner="invoices", webhook=webhook)
    assert client.ledger.job(job.id).submitter == Submitter("invoices", HOOK)
    status = job.status()
    assert status.owner == "invoices"
    assert SECRET not in json.dumps(status.to_json()) + repr(client.ledger.job(job.id))


def test_the_reconciler_creates_a_lost_job_with_its_owner_and_webhook(client: Client) -> None:
    job = client.submit(b"x", owner="invoices", webhook={"url": HOOK.url, "events": ["job.done"], "secret": SECRET})
    plain = client.submit(b"x")
    client.redis.flushall()
    client.ledger.clock = client.ledger.now() + 1000  # the jobs are old enough to be searched for
    Reconciler(client.ledger, client.spool, 1, 60).run()
    assert client.ledger.job(job.id).submitter == Submitter("invoices", HOOK)
    assert client.ledger.job(plain.id).submitter == NOBODY
    assert client.ledger.jobs("invoices") == [job.id]


def test_the_first_submission_of_a_key_decides_who_is_called(client: Client) -> None:
    job = client.submit(b"x", key="7", owner="invoices", webhook=HOOK.url)
    again = client.submit(b"x", key="7", owner="letters", webhook="https://other.example/")
    assert again.id == job.id
    assert client.ledger.job(job.id).submitter.owner == "invoices"
    file = client.ledger.job(job.id).source.file
    assert file is not None
    client.spool.drop(job.id)
    client.submit(b"x", key="7")
    assert client.spool.read_json(job.id, "job.json")["owner"] == "invoices"


@pytest.mark.parametrize("owner", ["", 7, "x" * 101])
def test_an_owner_that_is_no_name_is_refused(client: Client, owner: object) -> None:
    with pytest.raises(InvalidOptions, match="the owner is the name of an API key"):
        client.submit(b"x", owner=owner)  # type: ignore[arg-type]
    assert list(client.spool.jobs()) == []
