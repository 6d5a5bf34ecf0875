"""Deliveries of webhooks over HTTP and on the command line: listed, and sent again."""

import json
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

from ocrqueue.client import Client, Job
from ocrqueue.fetching.addresses import parse_url
from ocrqueue.ledger import Submitter, Webhook
from ocrqueue.web.keys import Right
from ocrqueue.webhooks.sender import Sender
from ocrqueue.webhooks.settings import AllowedUrls, WebhookSettings
from tests.support.harness import Stack, running
from tests.support.player import read
from tests.support.receiver import Receiver, receiving
from tests.support.web import Web, new_key, start_web

SECRET = "whsec_" + "A" * 32
KEYS = {"invoices": (), "letters": (), "auditor": (Right.READ_ALL,), "operator": (Right.OPERATE,)}


@pytest.fixture(scope="module")
def receiver() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    with running() as stack:
        stack.client().spool.prepare()
        yield stack


@pytest.fixture(scope="module")
def web(stack: Stack) -> Web:
    return start_web(stack)


@pytest.fixture(scope="module")
def keys(stack: Stack) -> dict[str, str]:
    return {name: new_key(stack, name, *rights) for name, rights in KEYS.items()}


@pytest.fixture(scope="module")
def client(stack: Stack) -> Client:
    return stack.client()


@pytest.fixture
def jobs(client: Client, receiver: Receiver) -> Iterator[dict[str, Job]]:
    """A job of two keys each: that of `invoices` is delivered, with its three pages; that of `letters` is pending."""
    webhook: Any = {"url": receiver.url, "secret": SECRET, "events": ["job.*", "page.*"]}
    made = {"invoices": client.submit(b"abc", owner="invoices", webhook=webhook)}
    read(client, made["invoices"], 3, [2])
    send(client, receiver)
    made["letters"] = client.submit(b"abc", owner="letters", webhook=receiver.url)
    read(client, made["letters"], 1)
    yield made
    for job in made.values():
        job.drop()
    receiver.calls.clear()


def send(client: Client, receiver: Receiver) -> None:
    allowed = AllowedUrls(False, (parse_url(receiver.url),))
    Sender(client.ledger, WebhookSettings(allowed, SECRET, 5)).run(0.4)


def get(web: Web, key: str, **query: Any) -> httpx2.Response:
    with web.client(key) as http:
        return http.get("/api/v1/deliveries", params=query)


def post(web: Web, key: str, id: str) -> httpx2.Response:
    with web.client(key) as http:
        return http.post(f"/api/v1/deliveries/{id}/repeat")


def test_a_key_sees_the_deliveries_of_its_own_jobs(
    web: Web, keys: dict[str, str], jobs: dict[str, Job], receiver: Receiver
) -> None:
    seen = {name: get(web, key).json() for name, key in keys.items()}
    assert {item["job"] for item in seen["invoices"]["items"]} == {jobs["invoices"].id}
    assert {item["job"] for item in seen["letters"]["items"]} == {jobs["letters"].id}
    assert len(seen["auditor"]["items"]) == len(seen["operator"]["items"]) == 5
    (item,) = seen["letters"]["items"]
    assert item == {
        "id": f"{jobs['letters'].id}-1", "job": jobs["letters"].id, "owner": "letters", "state": "pending",
        "host": f"127.0.0.1:{receiver.port}", "event": "job.done", "created": item["created"], "next": item["created"],
        "tries": 0, "status": None, "error": None, "ended": None,
    }  # fmt: skip
    assert SECRET not in json.dumps(seen)


def test_deliveries_are_filtered_by_job_and_state(web: Web, keys: dict[str, str], jobs: dict[str, Job]) -> None:
    def found(**query: Any) -> list[str]:
        return sorted(item["event"] for item in get(web, keys["auditor"], **query).json()["items"])

    assert found(state="delivered") == ["job.partial", *["page.finished"] * 3]
    assert found(state="pending") == found(job=jobs["letters"].id) == ["job.done"]
    assert found(state="failed") == []
    assert found(job=jobs["invoices"].id, state="pending") == []


@pytest.mark.parametrize("by_job", [False, True])
def test_a_cursor_leads_through_all_pages(web: Web, keys: dict[str, str], jobs: dict[str, Job], by_job: bool) -> None:
    query: dict[str, Any] = {"limit": 3} | ({"job": jobs["invoices"].id} if by_job else {})
    first = get(web, keys["invoices"], **query).json()
    second = get(web, keys["invoices"], **query, cursor=first["next_cursor"]).json()
    assert (len(first["items"]), len(second["items"]), second["next_cursor"]) == (3, 1, None)
    all_ids = [item["id"] for item in first["items"] + second["items"]]
    assert sorted(all_ids) == sorted({f"{jobs['invoices'].id}-1{end}" for end in ("", "-1", "-2", "-3")})


def test_a_key_repeats_the_deliveries_of_its_own_jobs(
    web: Web, keys: dict[str, str], jobs: dict[str, Job], receiver: Receiver, client: Client
) -> None:
    id = f"{jobs['invoices'].id}-1"
    before = len(receiver.calls)
    assert post(web, keys["letters"], id).status_code == 404
    refused = post(web, keys["auditor"], id)
    assert (refused.status_code, refused.json()["code"]) == (403, "key_rights")
    for name in ("invoices", "operator"):
        repeated = post(web, keys[name], id)
        assert (repeated.status_code, repeated.json()["state"]) == (202, "pending")
        send(client, receiver)
    again = [call for call in receiver.calls[before:] if call.id == id]
    assert [call.verified(SECRET)["type"] for call in again] == ["job.partial"] * 2
    assert again[0].body == again[1].body


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ({"cursor": "nonsense"}, 422, "invalid_request"),
        *(({"cursor": cursor}, 422, "invalid_request") for cursor in ("nan_x", "inf_x", "bmFuIHg", "aW5mIHg")),
        ({"limit": 0}, 422, "invalid_request"),
        ({"state": "lost"}, 422, "invalid_request"),
        ({"job": "nonsense"}, 404, "unknown_job"),
        ({"job": "0f0c9a52-6f6e-4b1e-9d55-0a4f7a2b7c12"}, 404, "unknown_job"),
    ],
)
def test_a_wrong_query_is_refused(
    web: Web, keys: dict[str, str], query: dict[str, Any], status: int, code: str
) -> None:
    answer = get(web, keys["auditor"], **query)
    assert (answer.status_code, answer.json()["code"]) == (status, code)


@pytest.mark.parametrize(
    "id", ["nonsense", "0f0c9a52-6f6e-4b1e-9d55-0a4f7a2b7c12-1", "0f0c9a52-6f6e-4b1e-9d55-0a4f7a2b7c12"]
)
def test_an_unknown_delivery_cannot_be_repeated(web: Web, keys: dict[str, str], id: str) -> None:
    answer = post(web, keys["operator"], id)
    assert (answer.status_code, answer.json()["code"]) == (404, "unknown_delivery")


@pytest.mark.parametrize(
    ("webhook", "code"),
    [
        ({"url": "http://10.0.0.7/", "secret": SECRET}, "source_not_allowed"),
        ({"url": "https://example.org/"}, "invalid_options"),
        ({"url": "https://example.org/", "secret": "hunter2"}, "invalid_options"),
        ({"url": "https://example.org/", "secret": SECRET, "events": ["x"]}, "invalid_options"),
    ],
)
def test_a_webhook_that_is_never_called_is_refused_at_once(
    web: Web, keys: dict[str, str], client: Client, webhook: dict[str, Any], code: str
) -> None:
    before = client.ledger.jobs()
    with web.client(keys["invoices"]) as http:
        answer = http.post("/api/v1/jobs", params={"webhook": json.dumps(webhook)}, content=b"abc")
    assert (answer.status_code, answer.json()["code"]) == (422, code)
    assert "hunter2" not in answer.text
    assert client.ledger.jobs() == before


def test_a_webhook_is_submitted_over_http(web: Web, keys: dict[str, str], client: Client) -> None:
    webhook = {"url": "https://example.org/", "secret": SECRET, "events": ["page.*"]}
    with web.client(keys["invoices"]) as http:
        answer = http.post("/api/v1/jobs", params={"webhook": json.dumps(webhook)}, content=b"abc")
    assert answer.status_code == 202
    assert SECRET not in answer.text
    submitter = client.ledger.job(answer.json()["job"]).submitter
    assert submitter == Submitter("invoices", Webhook("https://example.org/", ("page.finished",), SECRET))


def test_the_command_line_lists_and_repeats(
    stack: Stack, jobs: dict[str, Job], receiver: Receiver, client: Client
) -> None:
    done = stack.submit("webhooks", "list", "--job", jobs["invoices"].id)
    assert done.returncode == 0
    (line,) = [line for line in done.stdout.splitlines() if "job.partial" in line]
    id = f"{jobs['invoices'].id}-1"
    assert line == f"{id}  job.partial  127.0.0.1:{receiver.port}  delivered  1 try"
    pending = stack.submit("webhooks", "list", "--state", "pending", "--json")
    assert [json.loads(line)["job"] for line in pending.stdout.splitlines()] == [jobs["letters"].id]
    repeated = stack.submit("webhooks", "repeat", id, "nonsense")
    assert repeated.returncode == 4
    assert "is sent again" in repeated.stdout
    assert "unknown_delivery: no delivery 'nonsense'" in repeated.stderr
    assert client.deliveries.get(id).state == "pending"


def test_the_command_line_submits_with_a_webhook(stack: Stack, receiver: Receiver, client: Client) -> None:
    secret = stack.folder / "secret"
    secret.write_text(SECRET + "\n")
    given = ["ocr", "tests/data/scan.pdf", "--no-wait", "--webhook", receiver.url]
    done = stack.submit(*given, "--webhook-event", "job.failed", "--webhook-secret-file", str(secret))
    assert done.returncode == 0, done.stderr
    webhook = client.ledger.job(done.stdout.strip()).submitter.webhook
    assert webhook is not None
    assert (webhook.url, webhook.events, webhook.secret) == (receiver.url, ("job.failed",), SECRET)
    for wrong, why in (
        (["--webhook", "ftp://a/"], "only http and https"),
        (["--webhook", receiver.url, "--webhook-event", "x"], "is not allowed: any of"),
        (["--webhook", receiver.url, "--webhook-secret-file", "tests/data/scan.txt"], "does not begin with whsec_"),
        (["--webhook-event", "job.*"], "belong to --webhook"),
        (["--webhook", receiver.url, "--webhook-secret-file", "/nowhere"], "cannot be read"),
    ):
        refused = stack.submit("ocr", "tests/data/scan.pdf", "--no-wait", *wrong)
        assert refused.returncode == 2, wrong
        assert why in refused.stderr
        assert refused.stderr.count("\n") == 1
