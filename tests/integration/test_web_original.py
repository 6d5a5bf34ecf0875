"""The two endpoints of the original service: the text of an image at once, and freeing the models."""

from collections.abc import Iterator

import httpx2
import pytest

from ocrqueue.web.keys import Right
from tests.support import numbered
from tests.support.harness import Stack, running
from tests.support.web import new_key, start_web


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    with running() as stack:
        stack.client().spool.prepare()
        stack.start_documents(children=1)
        stack.start_worker()
        yield stack


@pytest.fixture
def http(stack: Stack) -> Iterator[httpx2.Client]:
    with start_web(stack).client(new_key(stack, "all", *Right)) as client:
        yield client


def test_the_original_endpoints(stack: Stack, http: httpx2.Client) -> None:
    for field in ("image", "file"):
        answer = http.post("/api/ocr", files={field: ("a.tif", numbered.document(1))})
        job = answer.json()["job"]
        assert answer.status_code == 200
        assert answer.json() == {"success": True, "text": stack.client().job(job).text(), "job": job}
        assert answer.json()["text"].strip() == "page 1"
    failures = [
        ({"files": {"image": ("a.txt", b"no image")}}, 415, "unsupported_format"),
        ({"files": {"image": ("a.tif", numbered.document(1, {1: numbered.RAISE}))}}, 500, "engine_error"),
        ({"files": {"image": ("a.tif", numbered.document(1))}, "data": {"pages": "7"}}, 422, "1 page"),
        ({"files": {"image": ("a.tif", b"")}}, 422, "empty"),
        ({"files": {"scan": ("a.tif", b"x")}}, 422, "image or file"),
        ({"files": [("image", ("a", b"x")), ("file", ("b", b"x"))]}, 422, "send one document"),
        ({"content": b"x"}, 400, "boundary"),
        ({"files": {"image": ("a", b"x")}, "headers": {"Authorization": "Bearer wrong"}}, 401, "API key"),
    ]
    for given, status, message in failures:
        answer = http.post("/api/ocr", **given)  # type: ignore[arg-type]
        assert (answer.status_code, answer.json()["success"]) == (status, False), answer.text
        assert message in answer.json()["error"]
    freed = http.post("/api/unload-model")
    assert (freed.status_code, freed.json()["success"]) == (200, True)
    assert freed.json()["message"].endswith("have freed their models")
    few = http.post("/api/unload-model", headers={"Authorization": f"Bearer {new_key(stack, 'few')}"})
    assert (few.status_code, few.json()["success"]) == (403, False)
