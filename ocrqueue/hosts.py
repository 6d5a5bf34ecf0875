"""Whether a web page of another site may have sent a request, for services of this machine that ask for no password.

Any page that the user's browser shows could send one. `Host` has the name by which it believes to reach us: one that is
made to point to this machine (DNS rebinding) is none of ours. `Origin` and `Sec-Fetch-Site` name the page.
"""

from collections.abc import Collection
from typing import Protocol
from urllib.parse import urlsplit

from ocrqueue.settings import is_loopback


class Headers(Protocol):
    """The headers of a request, without case."""

    def get(self, name: str, /) -> str | None:
        """The value of a header; None if the request has none."""


def foreign_name(headers: Headers, allowed: Collection[str] = ()) -> str | None:
    """The name in Host, if it is neither one of loopback nor one of `allowed`, which are in lower case; else None."""
    name = _name(headers.get("Host") or "")
    return None if is_loopback(name) or name.endswith(".localhost") or name in allowed else name


def is_of_other_page(method: str, headers: Headers) -> bool:
    """Whether a page of another origin sent the request. A link, whose target it cannot read, is not meant."""
    if method == "GET" and headers.get("Sec-Fetch-Mode") == "navigate":
        return False
    origin = headers.get("Origin")
    if origin is not None:
        return urlsplit(origin).netloc.lower() != (headers.get("Host") or "").lower()
    return headers.get("Sec-Fetch-Site") not in (None, "none", "same-origin")


def _name(host: str) -> str:
    """The name or address in the value of the header Host, without the port."""
    try:
        return (urlsplit(f"//{host}").hostname or "").rstrip(".")
    except ValueError:
        return ""
