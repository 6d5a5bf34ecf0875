"""The settings of the HTTP API, read from the environment."""

import ipaddress
import re
from dataclasses import dataclass, field
from pathlib import Path

from ocrqueue.settings import WEEK, YEAR, env, integer, is_loopback, number, read, shared, text
from ocrqueue.webhooks.settings import WebhookSettings, webhook_settings

PREFIX = "/api/v1"  # of the paths of the project's own API


@dataclass(frozen=True, slots=True)
class WebSettings:
    """The settings of a `web` process."""

    address: str  # OCR_HTTP_ADDRESS: address of this machine on which it listens
    port: int  # OCR_HTTP_PORT
    keys: Path  # OCR_API_KEYS: the file with the hashes of the API keys; without the file no key is asked for
    hosts: tuple[str, ...]  # OCR_HTTP_HOSTS: names besides those of loopback under which it is reached without keys
    proxies: tuple[str, ...]  # OCR_HTTP_PROXIES: networks of reverse proxies whose X-Forwarded-* headers are believed
    root_path: str  # OCR_HTTP_ROOT_PATH: path below which a reverse proxy shows the API, and which it removes
    uploads: int  # OCR_HTTP_UPLOADS: uploads at a time
    queue_seconds: int  # OCR_HTTP_QUEUE_SECONDS: submissions are refused while the open pages need longer; 0: never
    stall_seconds: float  # OCR_HTTP_STALL_SECONDS: an upload in which nothing arrives for this time is refused
    webhooks: WebhookSettings = field(default_factory=webhook_settings)  # OCR_WEBHOOK_...: as for the workers

    @property
    def is_private(self) -> bool:
        """Whether only programs on this machine can connect."""
        return is_loopback(self.address)


def web_settings() -> WebSettings:
    """Read the settings. Raises SettingsError if one is invalid."""
    name, path = r"[\w.:-]+", r"(/[\w.~-]+)*"
    return WebSettings(
        address=text("OCR_HTTP_ADDRESS", "127.0.0.1", name, "an address of this machine"),
        port=integer("OCR_HTTP_PORT", 8000, 1, 65535),
        keys=read(env.path, "OCR_API_KEYS", shared().data_dir / "api-keys.json", "a file").expanduser(),
        hosts=_hosts(),
        proxies=_proxies(),
        root_path=text("OCR_HTTP_ROOT_PATH", "", path, "a path such as /ocr"),
        uploads=integer("OCR_HTTP_UPLOADS", 32, 1, 1000),
        queue_seconds=integer("OCR_HTTP_QUEUE_SECONDS", 0, 0, YEAR),
        stall_seconds=number("OCR_HTTP_STALL_SECONDS", 30, 1, WEEK),
    )


def _hosts() -> tuple[str, ...]:
    """OCR_HTTP_HOSTS in lower case, as the name in `Host` is compared: any port of these hosts is meant."""
    allowed = "names or addresses of hosts, without ports, separated by commas"
    return tuple(read(env.list, "OCR_HTTP_HOSTS", [], allowed, subcast=_host))


def _host(given: str) -> str:
    name = given.strip().lower().rstrip(".")
    if re.fullmatch(r"[\w-]+(\.[\w-]+)*", name):
        return name
    return str(ipaddress.IPv6Address(name.removeprefix("[").removesuffix("]")))


def _proxies() -> tuple[str, ...]:
    """OCR_HTTP_PROXIES as networks that uvicorn knows: it ignores what it does not, such as 10.0.0.1/8."""
    allowed = "addresses or networks such as 10.0.0.7 or 10.0.0.0/8, no names, separated by commas"
    return tuple(read(env.list, "OCR_HTTP_PROXIES", [], allowed, subcast=_network))


def _network(given: str) -> str:
    return str(ipaddress.ip_network(given.strip(), strict=False))
