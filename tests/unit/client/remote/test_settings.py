"""OCR_API_URL and OCR_API_KEY."""

import pytest

from ocrqueue.client import default_client
from ocrqueue.client.client import Client
from ocrqueue.client.remote.client import RemoteClient
from ocrqueue.client.remote.settings import remote_settings
from ocrqueue.settings import SettingsError


@pytest.mark.parametrize(
    ("given", "url"),
    [("http://host:8000", "http://host:8000"), ("https://host/ocr/", "https://host/ocr"), ("http://[::1]:8000/", "http://[::1]:8000")],
)  # fmt: skip
def test_the_url_of_the_api(monkeypatch: pytest.MonkeyPatch, given: str, url: str) -> None:
    monkeypatch.setenv("OCR_API_URL", given)
    monkeypatch.setenv("OCR_API_KEY", "ocr_key")
    settings = remote_settings()
    assert settings
    assert (settings.url, settings.key) == (url, "ocr_key")
    assert "ocr_key" not in repr(settings)
    assert isinstance(default_client(), RemoteClient)


def test_without_a_url_the_client_uses_redis(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OCR_API_KEY", "ocr_key")
    assert remote_settings() is None
    assert isinstance(default_client(), Client)


@pytest.mark.parametrize(
    ("name", "value"),
    [("OCR_API_URL", "host:8000"), ("OCR_API_URL", "http://[::1"), ("OCR_API_URL", "ftp://host"),
     ("OCR_API_URL", "http://user@host"), ("OCR_API_URL", "http://host/?a=b"), ("OCR_API_KEY", "two words")],
)  # fmt: skip
def test_a_wrong_setting_is_refused(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv("OCR_API_URL", "http://host")
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match=name):
        remote_settings()
