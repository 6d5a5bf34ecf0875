"""The settings of webhooks."""

import pytest

from ocrqueue.errors import DocumentError, OcrError
from ocrqueue.fetching.addresses import parse_url
from ocrqueue.ledger import Webhook
from ocrqueue.settings import SettingsError
from ocrqueue.webhooks.settings import webhook_settings

SECRET = "whsec_" + "A" * 32


def settings(monkeypatch: pytest.MonkeyPatch, **env: str):
    for name in ("URLS", "SECRET", "SECONDS"):
        monkeypatch.delenv(f"OCR_WEBHOOK_{name}", raising=False)
    for name, value in env.items():
        monkeypatch.setenv(f"OCR_WEBHOOK_{name}", value)
    return webhook_settings()


@pytest.mark.parametrize(
    ("urls", "allowed"),
    [
        ("", {"public": True, "name": True, "private": False, "other": False}),
        ("public", {"public": True, "name": True, "private": False, "other": False}),
        ("none", {"public": False, "name": False, "private": False, "other": False}),
        ("http://10.0.0.7:9000/hooks/", {"public": False, "name": False, "private": True, "other": False}),
        ("public, http://10.0.0.7:9000/", {"public": True, "name": True, "private": True, "other": True}),
    ],
)
def test_public_addresses_and_named_urls_are_allowed(monkeypatch, urls: str, allowed: dict[str, bool]) -> None:
    found = settings(monkeypatch, URLS=urls).urls
    given = {
        "public": "https://93.184.215.14/hook",
        "name": "https://example.org/hook",
        "private": "http://10.0.0.7:9000/hooks/ocr",
        "other": "http://10.0.0.7:9000/other",
    }
    for name, url in given.items():
        if allowed[name]:
            found.check(parse_url(url))
        else:
            with pytest.raises(DocumentError, match="OCR_WEBHOOK_URLS") as caught:
                found.check(parse_url(url))
            assert caught.value.code == "source_not_allowed"


@pytest.mark.parametrize("urls", ["private", "ftp://a/", "https://user@a/", "https://a/../b"])
def test_a_wrong_entry_is_named(monkeypatch, urls: str) -> None:
    with pytest.raises(SettingsError, match="OCR_WEBHOOK_URLS"):
        settings(monkeypatch, URLS=urls)


@pytest.mark.parametrize("secret", ["hunter2", "whsec_hunter2", f"{SECRET} hunter2"])
def test_a_wrong_secret_is_refused_and_not_shown(monkeypatch, secret: str) -> None:
    with pytest.raises(SettingsError, match="OCR_WEBHOOK_SECRET") as caught:
        settings(monkeypatch, SECRET=secret)
    assert "hunter2" not in caught.value.message


def test_a_webhook_needs_a_secret_of_its_own_or_a_default(monkeypatch) -> None:
    own, other = Webhook("https://example.org/", (), SECRET), Webhook("https://example.org/", ())
    with_default, without = settings(monkeypatch, SECRET=SECRET), settings(monkeypatch)
    with_default.check(other)
    without.check(own)
    with pytest.raises(OcrError, match="needs a secret"):
        without.check(other)


@pytest.mark.parametrize("seconds", ["0", "61", "x"])
def test_the_time_of_a_call_is_bounded(monkeypatch, seconds: str) -> None:
    assert settings(monkeypatch).seconds == 20
    with pytest.raises(SettingsError, match="OCR_WEBHOOK_SECONDS"):
        settings(monkeypatch, SECONDS=seconds)
