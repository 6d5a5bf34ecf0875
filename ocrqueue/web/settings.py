"""The settings of the HTTP API, read from the environment."""

from dataclasses import dataclass
from pathlib import Path

from ocrqueue.settings import env, integer, is_loopback, read, shared, text

PREFIX = "/api/v1"  # of the paths of the project's own API


@dataclass(frozen=True, slots=True)
class WebSettings:
    """The settings of a `web` process."""

    address: str  # OCR_HTTP_ADDRESS: address of this machine on which it listens
    port: int  # OCR_HTTP_PORT
    keys: Path  # OCR_API_KEYS: the file with the hashes of the API keys; without the file no key is asked for

    @property
    def is_private(self) -> bool:
        """Whether only programs on this machine can connect."""
        return is_loopback(self.address)


def web_settings() -> WebSettings:
    """Read the settings. Raises SettingsError if one is invalid."""
    return WebSettings(
        address=text("OCR_HTTP_ADDRESS", "127.0.0.1", r"[\w.:-]+", "an address of this machine"),
        port=integer("OCR_HTTP_PORT", 8000, 1, 65535),
        keys=read(env.path, "OCR_API_KEYS", shared().data_dir / "api-keys.json", "a file").expanduser(),
    )
