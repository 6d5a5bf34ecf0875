"""The guard of a service without keys: programs of this machine pass, web pages of other origins do not."""

import asyncio
from pathlib import Path

import anyio
import pytest
from starlette.testclient import TestClient
from starlette.types import Message, Receive, Scope, Send

from ocrqueue.client import Client
from ocrqueue.settings import Shared
from ocrqueue.web.app import create_app
from ocrqueue.web.intake.middleware import Share
from ocrqueue.web.keys import Key, Keys, Right
from ocrqueue.web.settings import web_settings

HERE = "127.0.0.1:8000"


@pytest.fixture
def client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TestClient:
    monkeypatch.setenv("OCR_API_KEYS", str(tmp_path / "keys.json"))
    monkeypatch.setenv("OCR_HTTP_HOSTS", "Scans.example.org")
    settings = Shared(tmp_path, "redis://127.0.0.1:1/0", False, str(tmp_path / "spool"), None, 100, 1000)
    return TestClient(create_app(web_settings(), Client(settings)))


@pytest.mark.parametrize(
    "host", [HERE, "localhost", "localhost:8000", "127.0.0.5", "[::1]:8000", "a.localhost", "scans.example.ORG:80"]
)
def test_names_of_loopback_and_of_the_setting_pass(client: TestClient, host: str) -> None:
    assert client.get("/livez", headers={"Host": host}).status_code == 200


def test_a_service_whose_keys_cannot_be_read_is_not_ready(client: TestClient, tmp_path: Path) -> None:
    (tmp_path / "keys.json").write_text("{")
    answer = client.get("/readyz", headers={"Host": HERE})
    assert (answer.status_code, answer.json()["missing"][0]) == (503, "the file of API keys cannot be read")


def test_one_caller_cannot_hold_the_connections_of_all() -> None:
    """Of the five requests of each caller three are answered with 429 while two wait."""
    statuses: list[tuple[str, int]] = []

    async def main() -> None:
        end = asyncio.Event()

        async def waits(_scope: Scope, _receive: Receive, send: Send) -> None:
            await end.wait()
            await send({"type": "http.response.start", "status": 200, "headers": []})

        share = Share(waits, most=2)

        async def ask(name: str, headers: list[tuple[bytes, bytes]]) -> None:
            async def send(message: Message) -> None:
                if message["type"] == "http.response.start":
                    statuses.append((name, message["status"]))

            await share({"type": "http", "headers": headers, "client": (name, 1)}, anyio.sleep_forever, send)

        callers = {
            "address": [],
            "key": [(b"x-api-key", b"a")],
            "other": [(b"authorization", b"Bearer b")],
            "session": [(b"cookie", b"ocr_session=c")],
        }
        asked = [asyncio.create_task(ask(name, headers)) for name, headers in callers.items() for _ in range(5)]
        await asyncio.sleep(0)
        end.set()
        await asyncio.gather(*asked)
        await ask("address", [])

    asyncio.run(main())
    for name in ("address", "key", "other", "session"):
        assert statuses.count((name, 429)) == 3
        assert statuses.count((name, 200)) == 2 + (name == "address"), "one that has ended gives its place back"


@pytest.mark.parametrize(
    "host", ["evil.example", "192.168.1.5:8000", "127.0.0.1.evil.example", "localhost.evil", "[bad"]
)
def test_other_names_are_refused(client: TestClient, host: str) -> None:
    answer = client.get("/livez", headers={"Host": host})
    assert answer.status_code == 403
    assert answer.json()["code"] == "origin_not_allowed"


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": f"http://{HERE}"},
        {"Origin": f"https://{HERE}"},
        {"Sec-Fetch-Site": "same-origin"},
        {"Sec-Fetch-Site": "none"},
        {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"},
    ],
)
def test_pages_of_this_origin_and_links_pass(client: TestClient, headers: dict[str, str]) -> None:
    assert client.get("/livez", headers={"Host": HERE, **headers}).status_code == 200


@pytest.mark.parametrize(
    ("method", "headers"),
    [
        ("GET", {"Origin": "http://evil.example"}),
        ("GET", {"Origin": "null"}),
        ("GET", {"Origin": "http://127.0.0.1:9000"}),
        ("GET", {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"}),
        ("GET", {"Sec-Fetch-Site": "same-site"}),
        ("POST", {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}),
        ("POST", {"Origin": "http://evil.example", "Sec-Fetch-Mode": "navigate"}),
    ],
)
def test_pages_of_other_origins_are_refused(client: TestClient, method: str, headers: dict[str, str]) -> None:
    answer = client.request(method, "/api/v1/jobs", headers={"Host": HERE, **headers})
    assert answer.status_code == 403
    assert answer.json()["code"] == "origin_not_allowed"


def test_a_service_with_keys_needs_no_guard(client: TestClient, tmp_path: Path) -> None:
    Keys(tmp_path / "keys.json").add(Key("anna", frozenset({Right.READ})))
    headers = {"Host": "evil.example", "Origin": "http://evil.example"}
    assert client.get("/livez", headers=headers).status_code == 200
    assert client.post("/api/v1/jobs", content=b"x", headers=headers).status_code == 401
