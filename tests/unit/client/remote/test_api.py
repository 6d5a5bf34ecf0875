"""Problem documents of the HTTP API as errors of this project."""

from collections.abc import Callable

import httpx2
import pytest

from ocrqueue.client.remote.api import Api, NotReady, error_of
from ocrqueue.client.remote.settings import RemoteSettings
from ocrqueue.errors import (
    DocumentError,
    InvalidOptions,
    JobTimeout,
    OcrError,
    OcrFailed,
    QueueFull,
    QueueUnavailable,
    StorageError,
    Unconfirmed,
    UnknownJob,
    WrongState,
)
from ocrqueue.web.problems import ApiError, problem

REQUEST = httpx2.Request("GET", "http://host:8000/api/v1/jobs")


def received(error: OcrError) -> OcrError:
    """The error that a client raises for one that the API answers with."""
    sent = problem(error)
    return error_of(httpx2.Response(sent.status_code, content=bytes(sent.body), request=REQUEST))


@pytest.mark.parametrize(
    "error",
    [
        InvalidOptions("option dpi=7 is not allowed"), QueueFull("full"), QueueUnavailable("away"),
        UnknownJob("no job"), StorageError("no spool"), WrongState("it is done"), JobTimeout("late"),
        OcrFailed("corrupt_file: it is torn"),
        DocumentError("the document is empty", "empty_file"), DocumentError("too many bytes", "too_large"),
    ],
    ids=lambda error: error.code,
)  # fmt: skip
def test_an_error_arrives_as_it_was_raised(error: OcrError) -> None:
    found = received(error)
    assert (type(found), found.code, found.message) == (type(error), error.code, error.message)


@pytest.mark.parametrize(
    ("code", "kind"),
    [("invalid_request", InvalidOptions), ("too_many_open_pages", QueueFull), ("busy", QueueFull),
     ("not_ready", NotReady)],
)  # fmt: skip
def test_codes_of_the_api_alone_have_a_class_that_says_what_to_do(code: str, kind: type[OcrError]) -> None:
    found = received(ApiError(code, "why"))
    assert (type(found), found.message) == (kind, "why")


def test_other_codes_of_the_api_are_kept() -> None:
    found = received(ApiError("key_missing", "an API key is required"))
    assert (type(found), found.code) == (OcrError, "key_missing")


def test_an_unconfirmed_submission_names_its_job_once() -> None:
    sent = Unconfirmed("6f1f3a52-0d0b-5a3e-9c55-1b8c6f0f6a10", "Redis does not answer")
    found = received(sent)
    assert isinstance(found, Unconfirmed)
    assert (found.job, found.message) == (sent.job, sent.message)


Answer = Callable[[httpx2.Request], httpx2.Response]


def connected(answer: Answer) -> Api:
    """A client of a server that answers so."""
    api = Api(RemoteSettings("http://host:8000", None))
    api._http = httpx2.Client(transport=httpx2.MockTransport(answer))
    return api


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds between the attempts of the test, which do not pass."""
    slept: list[float] = []
    monkeypatch.setattr("tenacity.nap.time.sleep", slept.append)
    return slept


def limited(seconds: int) -> httpx2.Response:
    sent = problem(ApiError("rate_limited", "one request a minute", {"Retry-After": str(seconds)}))
    return httpx2.Response(sent.status_code, headers=dict(sent.headers), content=bytes(sent.body))


@pytest.mark.parametrize("send", [Api.post, Api.post_once])
def test_a_request_waits_for_as_many_minutes_as_its_key_has_no_requests_left(
    pauses: list[float], send: Callable[[Api, str], dict[str, str]]
) -> None:
    answers = iter([limited(60 - n) for n in range(9)])
    api = connected(lambda _: next(answers, None) or httpx2.Response(202, json={"job": "1"}))
    assert send(api, "jobs") == {"job": "1"}
    assert pauses == list(range(60, 51, -1))


def test_minutes_that_are_waited_for_are_no_attempts_and_lost_connections_are(pauses: list[float]) -> None:
    sent: list[bool] = []

    def answer(_: httpx2.Request) -> httpx2.Response:
        sent.append(len(sent) % 2 == 0)
        if sent[-1]:
            return limited(7)
        raise httpx2.ConnectError("away")

    with pytest.raises(QueueUnavailable, match="cannot be reached"):
        connected(answer).get("jobs")
    assert (sent.count(True), sent.count(False)) == (4, 4)
    assert pauses.count(7) == 4


def test_a_pause_that_is_too_long_is_not_waited_for(pauses: list[float]) -> None:
    with pytest.raises(OcrError, match="one request a minute") as caught:
        connected(lambda _: limited(61)).get("jobs")
    assert (caught.value.code, pauses) == ("rate_limited", [])


@pytest.mark.parametrize("body", [b"<html>Bad Gateway</html>", b"[]", b'{"detail": "no code"}', b"\xff"])
def test_an_error_page_of_a_proxy_is_an_unavailable_queue(body: bytes) -> None:
    found = error_of(httpx2.Response(502, content=body, request=REQUEST))
    assert isinstance(found, QueueUnavailable)
    assert found.message == "host answers 502 Bad Gateway"
