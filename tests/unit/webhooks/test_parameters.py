"""The webhook of a submission."""

import base64

import pytest

from ocrqueue.errors import InvalidOptions
from ocrqueue.ledger import Webhook
from ocrqueue.webhooks.parameters import parse_webhook

URL = "https://example.org/hook?from=ocr"
ENDS = ("job.done", "job.partial", "job.failed", "job.cancelled")


def secret(size: int) -> str:
    return "whsec_" + base64.b64encode(bytes(size)).decode()


def test_a_url_alone_is_called_when_the_job_ends() -> None:
    assert parse_webhook(URL) == parse_webhook({"url": URL}) == Webhook(URL, ENDS, None)


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        (["job.*"], ENDS),
        (["page.*"], ("page.finished",)),
        (["page.finished", "job.*"], (*ENDS, "page.finished")),
        (["job.failed", "job.failed", "job.done"], ("job.done", "job.failed")),
        ("job.failed", ("job.failed",)),
    ],
)
def test_events_are_types_and_groups_of_types(events: object, expected: tuple[str, ...]) -> None:
    assert parse_webhook({"url": URL, "events": events}).events == expected


@pytest.mark.parametrize("events", [[], "", ["job"], ["*"], 7, [7], {"job.done": True}, [["job.done"]]])
def test_unknown_events_are_refused(events: object) -> None:
    with pytest.raises(InvalidOptions, match=r"any of job\.\*, page\.\*, job\.done"):
        parse_webhook({"url": URL, "events": events})


NO_URLS = ["", "ftp://a/", "https://a b/", "https://user:pw@example.org/", "https://example.org/" + "x" * 2000]
NO_WEBHOOKS = [None, 7, [], {}, {"secret": "x"}, {"url": None}, {"url": URL, "token": "x"}]


@pytest.mark.parametrize("given", [*NO_URLS, *NO_WEBHOOKS])
def test_what_is_no_url_is_refused(given: object) -> None:
    with pytest.raises(InvalidOptions, match="webhook"):
        parse_webhook(given)


def test_several_secrets_are_allowed() -> None:
    both = f"{secret(24)} {secret(64)}"
    assert parse_webhook({"url": URL, "secret": both}).secret == both


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ("", "it is empty"),
        (7, "it is empty"),
        ("hunter2hunter2hunter2", "does not begin with whsec_"),
        ("whsec_hunter2!", "is not base64"),
        (secret(23), "23 bytes"),
        (f"{secret(24)} {secret(65)}", "65 bytes"),
    ],
)
def test_a_malformed_secret_is_refused_and_not_shown(given: object, why: str) -> None:
    with pytest.raises(InvalidOptions, match=why) as caught:
        parse_webhook({"url": URL, "secret": given})
    assert "hunter2" not in caught.value.message


def test_a_secret_is_not_printed() -> None:
    hook = parse_webhook({"url": URL, "secret": secret(24)})
    assert secret(24) not in f"{hook} {hook!r}"
    assert Webhook.from_json(hook.to_json()) == hook
