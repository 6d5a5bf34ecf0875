"""Requests to the HTTP API: retries after lost connections, and problem documents as this project's errors."""

import math
import time
import weakref
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import IO, Any, TypeVar

import httpx2
from tenacity import RetryCallState, Retrying, retry_if_exception_type

from ocrqueue.client.remote.settings import RemoteSettings
from ocrqueue.errors import (
    CODES,
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

T = TypeVar("T")
_SECONDS, _CONNECT_SECONDS = 60.0, 5.0  # for each part of a request; to connect
_PAUSES = (0.2, 1.0, 3.0)  # seconds between two attempts
_LONGEST_PAUSE = 60.0  # seconds of a Retry-After that are waited for
_GRACE = 2.0  # seconds after the time of `until` in which an answer that is on its way arrives
_LIMITED = "rate_limited"  # the code of a request above the limit of the API key
_until: ContextVar[float] = ContextVar("until", default=math.inf)  # monotonic time, see `until`
_PREFIX = "/api/v1/"
_CHUNK = 1 << 16
# The classes of errors that are raised for codes of problem documents. Other codes of documents are DocumentError.
_CLASSES: Mapping[str, type[OcrError]] = {
    "invalid_request": InvalidOptions,
    "queue_full": QueueFull,
    "busy": QueueFull,
    "too_many_open_pages": QueueFull,
    **{kind.code: kind for kind in (InvalidOptions, QueueUnavailable, StorageError)},
    **{kind.code: kind for kind in (UnknownJob, WrongState, JobTimeout)},
}


class NotReady(OcrError):
    """What was asked for comes later."""

    code = "not_ready"


class OutOfTime(OcrError):
    """The API key has no requests left until after the time of `until`."""

    code = _LIMITED


class _Again(Exception):
    """The request may be sent again after a pause."""

    def __init__(self, error: OcrError, seconds: float | None = None) -> None:
        super().__init__(error.message)
        self.error = error
        self.seconds = seconds  # None: as `_PAUSES` say

    @property
    def is_attempt(self) -> bool:
        """Whether it counts as an attempt: not if the API key has no requests left in this minute."""
        return self.error.code != _LIMITED


@contextmanager
def until(end: float) -> Iterator[None]:
    """Requests in this block end soon after `end`, of `time.monotonic`; no pause before another one lasts longer."""
    before = _until.set(end)
    try:
        yield
    finally:
        _until.reset(before)


class Api:
    """The HTTP API of one queue. It connects on first use, and threads can share it.

    Every method raises QueueUnavailable if the API cannot be reached, and the error of a problem document.
    """

    def __init__(self, settings: RemoteSettings) -> None:
        self.url = settings.url
        headers = {"Accept": "application/json"}
        if settings.key:
            headers["Authorization"] = f"Bearer {settings.key}"
        self._http = httpx2.Client(headers=headers, timeout=httpx2.Timeout(_SECONDS, connect=_CONNECT_SECONDS))
        weakref.finalize(self, self._http.close)

    def get(self, path: str, wait: float = 0.0, /, **query: str | int | None) -> dict[str, Any]:
        """The JSON object at a path; the server waits for up to `wait` seconds for what the path is about."""
        given = {name: value for name, value in {"wait": wait or None, **query}.items() if value is not None}
        return self._json(lambda: self._http.get(self._at(path), params=given, timeout=_timeout(wait)))

    def items(self, path: str, **query: str | int | None) -> Iterator[dict[str, Any]]:
        """The items of a list, over all its parts."""
        cursor: str | None = ""
        while cursor is not None:
            part = self.get(path, 0.0, cursor=cursor or None, **query)
            yield from part["items"]
            cursor = part["next_cursor"]

    def post(self, path: str, wait: float = 0.0, /, **how: Any) -> dict[str, Any]:
        """The answer to a POST, which is sent again if its answer was lost; `wait` as for `get`, `how` for httpx2."""
        return self._json(lambda: self._http.post(self._at(path), timeout=_timeout(wait), **how))

    def post_once(self, path: str) -> dict[str, Any]:
        """The answer to a POST that is never sent again once it may have been taken."""
        return self._json(lambda: self._http.post(self._at(path)), attempts=1)

    def delete(self, path: str) -> None:
        """Remove what is at a path. It may be gone because an answer was lost."""
        sent = 0

        def send() -> None:
            nonlocal sent
            sent += 1
            try:
                self._checked(self._http.delete(self._at(path)))
            except UnknownJob:
                if sent == 1:
                    raise

        self._repeat(send)

    def download(self, path: str, target: IO[bytes], **query: str) -> None:
        """Write what is at a path to a file that can seek. It is fetched again from the beginning if it breaks off."""

        def fetch() -> None:
            target.seek(0)
            target.truncate()
            with self._http.stream("GET", self._at(path), params=query, timeout=_timeout()) as answer:
                if answer.is_error:
                    answer.read()
                self._checked(answer)
                for chunk in answer.iter_bytes(_CHUNK):
                    target.write(chunk)

        self._repeat(fetch)
        target.seek(0)

    def probe(self, path: str) -> httpx2.Response:
        """The answer to one GET of a path outside the API, whatever its status."""
        return self._repeat(lambda: self._http.get(self.url + path), attempts=1)

    # -- sending ---------------------------------------------------------------------------------------------------
    def _at(self, path: str) -> str:
        return f"{self.url}{_PREFIX}{path}"

    def _json(self, send: Callable[[], httpx2.Response], attempts: int = len(_PAUSES) + 1) -> dict[str, Any]:
        def ask() -> dict[str, Any]:
            answer = self._checked(send())
            try:
                found = answer.json()
            except ValueError:
                found = None
            if not isinstance(found, dict):
                raise QueueUnavailable(f"{self.url} is not an HTTP API of OCR Queue; correct OCR_API_URL")
            return found

        return self._repeat(ask, attempts)

    def _repeat(self, send: Callable[[], T], attempts: int = len(_PAUSES) + 1) -> T:
        """Send until an answer comes, `attempts` times at most; each minute without requests left is waited for.

        Raises the last error, also if the pause after it would last beyond the time of `until`.
        """
        made = 0

        def once() -> T:
            with self._reaching():
                return send()

        def has_tried_enough(state: RetryCallState) -> bool:
            nonlocal made
            error = state.outcome.exception() if state.outcome else None
            made += isinstance(error, _Again) and error.is_attempt
            return made >= attempts or time.monotonic() + _pause(state) > _until.get()

        try:
            return Retrying(stop=has_tried_enough, wait=_pause, retry=retry_if_exception_type(_Again), reraise=True)(
                once
            )
        except _Again as e:
            if not e.is_attempt:  # without `until`, it would have been sent again
                raise OutOfTime(e.error.message) from e
            raise e.error from e

    @contextmanager
    def _reaching(self) -> Iterator[None]:
        """Turn the errors of httpx2 into `_Again`."""
        try:
            yield
        except httpx2.TimeoutException as e:
            raise _Again(QueueUnavailable(f"the HTTP API at {self.url} does not answer; look whether it runs")) from e
        except httpx2.TransportError as e:
            why = str(e) or type(e).__name__
            raise _Again(
                QueueUnavailable(
                    f"the HTTP API at {self.url} cannot be reached ({why}); start it with `make up`, or correct "
                    "OCR_API_URL"
                )
            ) from e

    def _checked(self, answer: httpx2.Response) -> httpx2.Response:
        """The answer, if it is none of an error. Raises the error, or `_Again` if the server says when to try again."""
        if not answer.is_error:
            return answer
        error = error_of(answer)
        pause = answer.headers.get("Retry-After", "")
        if error.code in (_LIMITED, "key_in_use") and pause.isdigit() and int(pause) <= _LONGEST_PAUSE:
            raise _Again(error, float(pause))
        raise error


def _timeout(wait: float = 0.0) -> httpx2.Timeout:
    """How long a request may take that the server answers after up to `wait` seconds."""
    left = max(0.0, _until.get() - time.monotonic())
    return httpx2.Timeout(min(_SECONDS + wait, left + _GRACE), connect=min(_CONNECT_SECONDS, left + _GRACE))


def error_of(answer: httpx2.Response) -> OcrError:
    """The error of an answer: that of its problem document, or else its status."""
    try:
        found = answer.json()
        code, detail = str(found["code"]), str(found["detail"])
    except (ValueError, KeyError, TypeError):
        return QueueUnavailable(f"{answer.url.host} answers {answer.status_code} {answer.reason_phrase}")
    if code == Unconfirmed.code and found.get("job"):
        return Unconfirmed(str(found["job"]), detail.partition("; job ")[0])
    if code == NotReady.code:
        return NotReady(detail)
    if code in _CLASSES:
        return _CLASSES[code](detail)
    if code == "key_missing":  # what to do is said for those who write requests themselves
        why = detail.partition(":")[0]
        return OcrError(f"{why}: set OCR_API_KEY; `submit.py keys new` makes a key, where `web` runs", code)
    if detail.startswith(f"{code}: "):
        return OcrFailed(detail)
    return DocumentError(detail, code) if code in CODES else OcrError(detail, code)


def _pause(state: RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome else None
    asked = error.seconds if isinstance(error, _Again) else None
    return _PAUSES[min(state.attempt_number, len(_PAUSES)) - 1] if asked is None else asked
