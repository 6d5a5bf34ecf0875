"""The settings of the HTTP API."""

import pytest
from fastapi import FastAPI
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from ocrqueue.settings import SettingsError
from ocrqueue.web.settings import web_settings


def test_the_api_believes_each_proxy_that_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """uvicorn ignores a network with the address of a host, such as 10.0.0.1/8."""
    monkeypatch.setenv("OCR_HTTP_PROXIES", "10.0.0.1/8, 192.168.1.7,fd00::1/64,::1")
    trusted = ProxyHeadersMiddleware(FastAPI(), trusted_hosts=list(web_settings().proxies)).trusted_hosts
    assert [host in trusted for host in ("10.9.9.9", "192.168.1.7", "fd00::9", "::1")] == [True] * 4
    assert [host in trusted for host in ("11.0.0.1", "192.168.1.8", "fd01::9", "::2")] == [False] * 4


@pytest.mark.parametrize("value", ["10.0.0.0/99", "nginx", "localhost", "10.0.0.1,,10.0.0.2", "10.0.0.1:80", "*"])
def test_a_proxy_that_is_no_address_or_network_is_refused(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("OCR_HTTP_PROXIES", value)
    with pytest.raises(SettingsError) as raised:
        web_settings()
    assert str(raised.value) == (
        f"OCR_HTTP_PROXIES={value!r} is not allowed: "
        "addresses or networks such as 10.0.0.7 or 10.0.0.0/8, no names, separated by commas"
    )


def test_hosts_are_compared_without_case(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OCR_HTTP_HOSTS", "OCR.Example.org., box,FD00:0::1,[fd00::2]")
    assert web_settings().hosts == ("ocr.example.org", "box", "fd00::1", "fd00::2")


@pytest.mark.parametrize("value", ["box:8000", "http://box", "box,,other", "[fd00::1]:80", "box/ocr", "*.example.org"])
def test_a_host_that_would_never_match_is_refused(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("OCR_HTTP_HOSTS", value)
    with pytest.raises(SettingsError, match="without ports"):
        web_settings()
