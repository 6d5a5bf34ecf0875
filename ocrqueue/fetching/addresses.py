"""URLs that a worker may fetch: what is allowed, and to which addresses a connection may go."""

import ipaddress
import re
import socket
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from ocrqueue.errors import DocumentError

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_PORTS = {"http": 80, "https": 443}
_PLAIN = re.compile(r"[!-\[\]-~]+")  # printable ASCII without blanks and backslashes
_HOST = re.compile(r"[a-z0-9]([a-z0-9._-]*[a-z0-9])?")
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")  # RFC 6052: the last 32 bits are an IPv4 address


@dataclass(frozen=True, slots=True)
class Url:
    """A checked http or https URL. An allowed source is a URL too: the beginning of the URLs that it allows."""

    scheme: str  # "http" or "https"
    host: str  # lower case; an IPv6 address without brackets
    port: int
    path: str  # begins with "/"; not decoded
    query: str  # without "?"; may be empty

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}{self.target}"

    @property
    def target(self) -> str:
        """Path and query, for the request line."""
        return f"{self.path}?{self.query}" if self.query else self.path

    @property
    def literal(self) -> Address | None:
        """The address if the host is an address; None if it is a name."""
        try:
            return ipaddress.ip_address(self.host)
        except ValueError:
            return None

    def covers(self, url: "Url") -> bool:
        """Whether `url` has the same scheme, host and port, and a path at or below this one."""
        if (self.scheme, self.host, self.port) != (url.scheme, url.host, url.port):
            return False
        return url.path == self.path or url.path.startswith(self.path.rstrip("/") + "/")


def parse_url(text: str) -> Url:
    """The parts of a URL. Refuses a URL that two programs could understand differently.

    Raises DocumentError with the code `invalid_options` for other schemes, user names, backslashes, blanks, characters
    beyond ASCII, and path segments that are "." or "..", also after decoding.
    """
    try:
        parts = urlsplit(text)
        host, port = (parts.hostname or "").removesuffix("."), parts.port
    except ValueError as error:
        raise _invalid(text, f"it is malformed ({error})") from error
    if not _PLAIN.fullmatch(text):
        raise _invalid(text, "percent-encode blanks, backslashes and characters beyond ASCII")
    if parts.scheme not in _PORTS:
        raise _invalid(text, "only http and https are fetched")
    if "@" in parts.netloc:
        raise _invalid(text, "it must not have a user name or password")
    if _is_address(host):
        host = str(ipaddress.ip_address(host))
    elif not _HOST.fullmatch(host):
        raise _invalid(text, "its host is malformed")
    if any(_climbs(segment) for segment in parts.path.split("/")):
        raise _invalid(text, 'write its path without "." and ".."')
    return Url(parts.scheme, host, port or _PORTS[parts.scheme], parts.path or "/", parts.query)


def resolve(url: Url) -> list[Address]:
    """The addresses to which a connection for an allowed URL may go.

    They are looked up once and used for the connection, so that a second lookup cannot give other addresses. Raises
    DocumentError: `source_unreachable` for an unknown name, `source_not_allowed` for a name with a private address. A
    private address must be allowed as an address, not as a name.
    """
    if url.literal is not None:
        return [url.literal]
    try:
        found = socket.getaddrinfo(url.host, url.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise DocumentError(
            f"no address is known for the host {url.host}: check the URL", "source_unreachable"
        ) from error
    addresses = [ipaddress.ip_address(entry[4][0]) for entry in found]
    if public := [address for address in dict.fromkeys(addresses) if is_public(address)]:
        return public
    raise DocumentError(
        f"{url.host} has a private address: allow that address, such as http://192.0.2.7/, and use it in the URL",
        "source_not_allowed",
    )


def is_public(address: Address) -> bool:
    """Whether an address, and every IPv4 address embedded in it, is on the public internet."""
    if not address.is_global or address.is_multicast:
        return False
    if isinstance(address, ipaddress.IPv4Address):
        return True
    inner = [address.ipv4_mapped, address.sixtofour, *(address.teredo or ())]
    if address in _NAT64:
        inner.append(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
    return all(is_public(wrapped) for wrapped in inner if wrapped is not None)


def _climbs(segment: str) -> bool:
    """Whether a server may take a path segment for "." or "..", however often it decodes the segment."""
    while (decoded := unquote(segment)) != segment:
        segment = decoded
    return any(part.partition(";")[0] in {".", ".."} for part in re.split(r"[/\\]", segment))


def _is_address(host: str) -> bool:
    try:
        return "%" not in host and bool(ipaddress.ip_address(host))
    except ValueError:
        return False


def _invalid(text: str, why: str) -> DocumentError:
    return DocumentError(f"the URL {text[:200]!r} is refused: {why}", "invalid_options")
