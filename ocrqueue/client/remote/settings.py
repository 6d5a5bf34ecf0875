"""The settings of the client that uses the HTTP API."""

from dataclasses import dataclass, field

from ocrqueue.settings import text


@dataclass(frozen=True, slots=True)
class RemoteSettings:
    """Where the HTTP API is, and the key for it."""

    url: str  # such as "http://host:8000", without a slash at the end
    key: str | None = field(repr=False)  # API key; None: the API asks for none


def remote_settings() -> RemoteSettings | None:
    """Read the settings; None if OCR_API_URL is not set. Raises SettingsError."""
    host = r"(?:\[[0-9A-Fa-f:.]+\]|[^\s/@?#\[\]:]+)(?::\d{1,5})?"
    url = text("OCR_API_URL", "", rf"https?://{host}(/[^\s?#]*)?", "a URL such as http://host:8000")
    key = text("OCR_API_KEY", "", r"[!-~]+", "an API key, as `submit.py keys new` prints it")
    return RemoteSettings(url.rstrip("/"), key or None) if url else None
