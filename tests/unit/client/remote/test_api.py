"""Problem documents of the HTTP API as errors of this project."""

import httpx2
import pytest

from ocrqueue.client.remote.api import NotReady, error_of
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


@pytest.mark.parametrize("body", [b"<html>Bad Gateway</html>", b"[]", b'{"detail": "no code"}', b"\xff"])
def test_an_error_page_of_a_proxy_is_an_unavailable_queue(body: bytes) -> None:
    found = error_of(httpx2.Response(502, content=body, request=REQUEST))
    assert isinstance(found, QueueUnavailable)
    assert found.message == "host answers 502 Bad Gateway"
