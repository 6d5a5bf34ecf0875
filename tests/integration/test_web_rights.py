"""Every endpoint with keys of every right: none can read or change the job of another key. No worker reads pages."""

from collections.abc import Iterator

import pytest

from ocrqueue.web.keys import Right
from ocrqueue.web.settings import PREFIX
from tests.support.harness import Stack, running
from tests.support.numbered import document
from tests.support.web import Web, endpoints, new_key, start_web

JOB = f"{PREFIX}/jobs/{{job}}"
AZURE = "/documentintelligence/documentModels/{model}"
OPEN = "+ + + + +"  # what a request gets without a key, and with a key that may submit, read, read-all or operate
SUBMIT = "401 + 403 403 403"
READ = "401 403 + + +"
READ_JOB = "401 403 404 + +"
CHANGE_JOB = "401 403 404 403 +"
READ_ALL = "401 403 403 + +"
OPERATE = "401 403 403 403 +"
# "+": neither 401, 403 nor 404. In the paths is the job of a key that is none of these. Pages for people lead to the
# form that asks for a key (303) instead of 401.
TABLE = {
    f"POST {PREFIX}/jobs": SUBMIT,
    f"GET {PREFIX}/jobs": READ,
    f"GET {JOB}": READ_JOB,
    f"DELETE {JOB}": CHANGE_JOB,
    f"POST {JOB}/cancel": CHANGE_JOB,
    f"POST {JOB}/retry": CHANGE_JOB,
    f"GET {JOB}/pages": READ_JOB,
    f"GET {JOB}/pages/{{number}}": READ_JOB,
    f"GET {JOB}/pages/{{number}}/image": READ_JOB,
    f"GET {JOB}/events": READ_JOB,
    f"GET {JOB}/search": READ_JOB,
    f"GET {JOB}/result": READ_JOB,
    f"GET {JOB}/document": READ_JOB,
    f"GET {PREFIX}/deliveries": READ,
    f"POST {PREFIX}/deliveries/{{id}}/repeat": "401 403 404 404 404",  # there is none; see test_web_deliveries.py
    f"GET {PREFIX}/dead": READ,
    f"GET {PREFIX}/stats": READ,
    f"GET {PREFIX}/engines": READ,
    f"GET {PREFIX}/models": READ_ALL,
    f"POST {PREFIX}/models/unload": OPERATE,
    "GET /livez": OPEN,
    "GET /readyz": OPEN,
    "GET /health": OPEN,
    "GET /version": OPEN,
    "GET /metrics": READ_ALL,
    "POST /api/ocr": SUBMIT,
    "POST /api/unload-model": OPERATE,
    "POST /v1/convert/file": SUBMIT,
    "POST /v1/convert/file/async": SUBMIT,
    "POST /v1/convert/source": SUBMIT,
    "POST /v1/convert/source/async": SUBMIT,
    "GET /v1/status/poll/{task}": READ_JOB,
    "GET /v1/result/{task}": "401 403 404 404 404",  # the task has not ended
    "POST /v1/files": SUBMIT,
    "GET /v1/files/{file}": READ_JOB,
    "GET /v1/files/{file}/content": READ_JOB,
    "GET /v1/files/{file}/url": READ_JOB,
    "DELETE /v1/files/{file}": CHANGE_JOB,
    "POST /v1/ocr": SUBMIT,
    f"POST {AZURE}:analyze": SUBMIT,
    f"GET {AZURE}/analyzeResults/{{operation}}": READ_JOB,
    f"GET {AZURE}/analyzeResults/{{operation}}/pdf": READ_JOB,
    f"DELETE {AZURE}/analyzeResults/{{operation}}": CHANGE_JOB,
    "PUT /process": SUBMIT,
    "GET /login": OPEN,
    "POST /login": "401 401 401 401 401",  # the form has no key
    "POST /logout": OPEN,
    "GET /language/{language}": OPEN,
    "GET /": READ.replace("401", "303"),
    "GET /jobs/{job}": READ_JOB.replace("401", "303"),
    "GET /jobs/{job}/head": READ_JOB.replace("401", "303"),
    "GET /jobs/{job}/pages/{number}": READ_JOB.replace("401", "303"),
    "GET /models": READ_ALL.replace("401", "303"),
    "GET /static/{version}/{name}": OPEN,
}
QUERY = {f"GET {JOB}/search": "?q=a", f"POST {PREFIX}/models/unload": "?wait=0"}


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    with running() as stack:
        stack.start_documents(children=1)  # ends jobs that are cancelled
        yield stack


@pytest.fixture(scope="module")
def keys(stack: Stack) -> list[str | None]:
    return [None, *(new_key(stack, right, right) for right in Right)]


@pytest.fixture(scope="module")
def owner(stack: Stack) -> str:
    return new_key(stack, "owner")


@pytest.fixture(scope="module")
def web(stack: Stack, owner: str) -> Web:
    return start_web(stack)


def test_the_table_has_every_endpoint() -> None:
    assert sorted(TABLE) == sorted(endpoints())


@pytest.mark.parametrize("endpoint", TABLE)
def test_an_endpoint_asks_for_its_right(web: Web, keys: list[str | None], owner: str, endpoint: str) -> None:
    method, path = endpoint.split()
    with web.client(owner) as http:
        answer = http.post(f"{PREFIX}/jobs", files={"file": ("secret.tif", document(1))})
        job = answer.json()["job"]
    names = {"model": "prebuilt-read", "number": "1", "language": "de", "id": f"{job}-1"}
    names |= {"version": "0", "name": "icon.svg"}
    for name in ("job", "task", "file", "operation"):
        names[name] = job
    found = []
    for key in keys:
        with web.client(key) as http, http.stream(method, path.format(**names) + QUERY.get(endpoint, "")) as answer:
            status = str(answer.status_code)
            is_kept_from_caches = answer.headers["Cache-Control"].startswith(("private, no-", "no-store"))
            assert is_kept_from_caches or "/static/" in path
            found.append(status if status in TABLE[endpoint].split() or status in ("401", "403", "404") else "+")
            if status in ("403", "404"):
                assert "secret.tif" not in answer.read().decode()
    assert " ".join(found) == TABLE[endpoint]


def test_lists_show_nothing_of_other_keys(web: Web, keys: list[str | None], owner: str) -> None:
    with web.client(owner) as http:
        http.post(f"{PREFIX}/jobs", files={"file": ("secret.tif", document(1))})
    reader, overseer = keys[2], keys[3]
    for path in (f"{PREFIX}/jobs", f"{PREFIX}/jobs?owner=owner", "/", "/?name=secret"):
        with web.client(reader) as http:
            assert "secret.tif" not in http.get(path).text
        with web.client(overseer) as http:
            assert "secret.tif" in http.get(path).text


def test_a_file_id_is_no_way_to_the_text_of_a_job(web: Web, keys: list[str | None], owner: str) -> None:
    with web.client(owner) as http:
        job = http.post("/v1/files", files={"file": ("secret.tif", document(1))}).json()["id"]
    both = new_key(web.stack, "both")
    for document_of in ({"file_id": job}, {"document_url": f"{web.url}/v1/files/{job}"}):
        statuses = []
        for key in (keys[1], both):
            with web.client(key) as http:
                statuses.append(http.post("/v1/ocr", json={"document": document_of}).status_code)
        assert statuses == [403, 404]
