"""No URL, path or file id that a caller sends leads to a file of this machine or to a server that is not allowed.

Every route of every API gets them: in its path, in JSON with every name that an API has for a document, and in forms.
"""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx2
import pytest

from ocrqueue.web.app import OTHERS, OWN
from ocrqueue.web.keys import Right
from ocrqueue.web.settings import PREFIX
from tests.support.harness import PROJECT, Stack, eventually, running
from tests.support.receiver import Receiver, receiving
from tests.support.web import Web, new_key, start_web

SECRET = "REDIS_PASSWORD=hunter2"
TAKES_URLS = {
    f"POST {PREFIX}/jobs",
    "POST /v1/convert/source",
    "POST /v1/convert/source/async",
    "POST /v1/ocr",
    "POST /documentintelligence/documentModels/{model}:analyze",
}


@pytest.fixture(scope="module")
def receiver() -> Iterator[Receiver]:
    """What it sends is no document: a job of it fails as soon as it is opened, so that nobody reads pages."""
    with receiving(lambda _: 200) as receiver:
        yield receiver


@pytest.fixture(scope="module")
def stack(receiver: Receiver) -> Iterator[Stack]:
    with running() as stack:
        stack.start_documents(children=1, OCR_ALLOWED_SOURCES=f"http://127.0.0.1:{receiver.port}/allowed/")
        yield stack


@pytest.fixture(scope="module")
def web(stack: Stack) -> Web:
    return start_web(stack)


@pytest.fixture(scope="module")
def http(web: Web) -> Iterator[httpx2.Client]:
    with web.client(new_key(web.stack, "attacker", *Right)) as http:
        yield http


@pytest.fixture(scope="module")
def sources(stack: Stack, receiver: Receiver) -> Iterator[list[str]]:
    """What would be a way in. The web process has the project's folder as its own."""
    secret, fifo = stack.folder / "secret.txt", stack.folder / "fifo"
    secret.write_text(SECRET)
    os.mkfifo(fifo)
    link = PROJECT / "secret-link.txt"
    link.symlink_to(secret)
    here = f"127.0.0.1:{receiver.port}"
    try:
        yield [
            os.fspath(secret),
            os.fspath(fifo),
            os.path.relpath(secret, PROJECT),
            link.name,
            "/proc/self/environ",
            "/dev/zero",
            os.fspath(stack.folder),
            "~/.ssh/id_rsa",
            f"file://{secret}",
            f"FILE:{secret}",
            f"file://localhost{secret}",
            f"http:{secret}",
            f"http://{secret}",
            f" {secret}",
            f"{secret}\0.pdf",
            f"ftp://{here}/secret",
            f"gopher://{here}/secret",
            f"http://{here}/secret",
            f"http://{here}/allowed/../secret",
            f"http://{here}/allowed/%2e%2e/secret",
            f"http://{here}/allowed\\..\\secret",
            f"http://allowed@{here}/secret",
            f"http://localhost:{receiver.port}/allowed/secret",
            f"http://[::ffff:127.0.0.1]:{receiver.port}/allowed/secret",
            f"http://2130706433:{receiver.port}/allowed/secret",
            "http://169.254.169.254/latest/meta-data/",
            "../../../../etc/passwd",
        ]
    finally:
        link.unlink()


def routes() -> list[tuple[str, str]]:
    """Method and path of every route of the application."""
    own = [(PREFIX + route.path, route) for router in OWN for route in router.routes]
    others = [(route.path, route) for router in OTHERS for route in router.routes]
    return [(method, path) for path, route in own + others for method in route.methods]


def bodies(source: str) -> list[dict[str, Any]]:
    """JSON that names a source in every way that an API has."""
    return [
        {"url": source},
        {
            "urlSource": source,
            "path": source,
            "sources": [{"kind": "http", "url": source}],
            "document": {"type": "document_url", "document_url": source},
        },
        {
            "url": {"url": source},
            "base64Source": source,
            "sources": [{"kind": "file", "base64_string": source, "filename": source}],
            "document": {"type": "image_url", "image_url": {"url": source}},
        },
        {"sources": [{"kind": "file", "url": source}], "document": {"type": "file", "file_id": source}},
        {"sources": [{"kind": "s3", "url": source}], "document": {"document_url": source, "document_name": source}},
    ]


def _paths(path: str, source: str) -> str:
    """The route's path with a source in all its parts but those that choose the endpoint."""
    names = dict.fromkeys(("job", "task", "file", "operation", "name", "id"), quote(source, safe=""))
    return path.format(**names, model="prebuilt-read", number="1", language="de", version="0")


def test_a_url_that_is_allowed_is_taken_by_every_route_that_takes_urls(http: httpx2.Client, receiver: Receiver) -> None:
    """Else the test below would find nothing anywhere."""
    posts = {f"/allowed/{number}": path for number, (method, path) in enumerate(routes()) if method == "POST"}
    for place, path in posts.items():
        for body in bodies(f"http://127.0.0.1:{receiver.port}{place}")[:2]:
            http.post(_paths(path, "x"), json=body)
    eventually(lambda: not _open(http))
    assert {f"POST {posts[call.path]}" for call in receiver.calls} == TAKES_URLS


@pytest.mark.thorough
def test_no_route_reads_a_file_or_a_server_that_is_not_allowed(
    web: Web, http: httpx2.Client, receiver: Receiver, sources: list[str]
) -> None:
    asked = len(receiver.calls)
    for method, path in routes():
        for source in sources if f"{method} {path}" in TAKES_URLS else sources[::5]:
            with http.stream(method, _paths(path, source)) as answer:
                assert SECRET not in _start(answer)
            if method in ("POST", "PUT"):
                for body in bodies(source):
                    _check(http.request(method, _paths(path, "x"), json=body))
                form = {"url": source, "path": source, "file": source, "files": source, "key": "k"}
                _check(http.request(method, _paths(path, "x"), data=form))
    eventually(lambda: not _open(http))
    for job in http.get(f"{PREFIX}/jobs?limit=100").json()["items"]:
        document = http.get(f"{PREFIX}/jobs/{job['job']}/document")
        assert SECRET.encode() not in document.content
    spool = Path(web.stack.env["OCR_DATA_DIR"]) / "spool"
    assert not [file for file in spool.rglob("*") if file.is_file() and SECRET.encode() in file.read_bytes()]
    assert receiver.calls[asked:] == []
    # no FIFO or device holds a thread of the web process: it answers more requests at once than it has threads
    with ThreadPoolExecutor(50) as pool:
        assert all(pool.map(lambda _: http.get(f"{PREFIX}/jobs").is_success, range(50)))


def _start(answer: httpx2.Response) -> str:
    """The first bytes of an answer: a stream of events has no end."""
    return next(answer.iter_bytes(), b"").decode("utf-8", "replace")


def _check(answer: httpx2.Response) -> None:
    assert SECRET not in answer.text
    assert answer.status_code != 500, answer.text


def _open(http: httpx2.Client) -> list[Any]:
    return [job for job in http.get(f"{PREFIX}/jobs?limit=100").json()["items"] if job["ended"] is None]
