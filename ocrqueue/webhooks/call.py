"""One call of a webhook's URL."""

import http.client
import time
from collections.abc import Mapping
from dataclasses import dataclass

from ocrqueue.errors import DocumentError
from ocrqueue.fetching.addresses import parse_url
from ocrqueue.fetching.connection import connected
from ocrqueue.webhooks.settings import AllowedUrls


@dataclass(frozen=True, slots=True)
class Answer:
    """The outcome of a call."""

    status: int | None = None  # of HTTP; None: there was no answer
    error: str | None = None  # why the call failed, one line; None: it succeeded
    final: bool = False  # another call cannot succeed


def call(url: str, body: bytes, headers: Mapping[str, str], allowed: AllowedUrls, seconds: float) -> Answer:
    """Send a body to a URL by POST. Only an answer 2xx is a success. Redirects are not followed.

    The name of the host is looked up once, and the connection goes to that address. The body of the answer is not read.
    Takes at most `seconds`, besides the time to look up the name.
    """
    deadline = time.monotonic() + seconds
    sent = {"Content-Type": "application/json", "User-Agent": "ocr-queue", **headers}
    try:
        target = parse_url(url)
        with connected(target, allowed.addresses(target), deadline) as connection:
            connection.request("POST", target.target, body, sent)
            status = connection.getresponse().status
    except DocumentError as e:
        return Answer(error=e.message, final=e.code != "source_unreachable")
    except (OSError, ValueError, http.client.HTTPException) as e:
        return Answer(error=" ".join((str(e) or type(e).__name__).split())[:200])
    return Answer(status, None if 200 <= status < 300 else f"the URL answered {status}")
