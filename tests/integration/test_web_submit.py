"""Submitting over HTTP: forms, bodies and URLs become jobs; refused, broken and killed uploads leave nothing."""

import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx2
import pytest

from ocrqueue.client import JobStatus
from ocrqueue.errors import DocumentError, InvalidOptions
from tests.support import numbered
from tests.support.harness import Stack, eventually, running
from tests.support.uploads import JOBS, Footprint, answered, connected, upload_head
from tests.support.web import Web, new_key, start_web

MB = 1 << 20
ALLOWED = "http://127.0.0.1:1/"  # where nothing listens
SECRET = "whsec_" + "A" * 32


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    with running() as stack:
        stack.client().spool.prepare()
        stack.start_documents(children=1, OCR_ALLOWED_SOURCES=ALLOWED)
        stack.start_worker()
        yield stack


@pytest.fixture(scope="module")
def web(stack: Stack) -> Web:
    return start_web(stack, OCR_MAX_MB="2")


@pytest.fixture
def http(web: Web) -> Iterator[httpx2.Client]:
    with web.client() as client:
        yield client


@pytest.fixture
def footprint(stack: Stack) -> Footprint:
    found = Footprint(stack)
    assert found.now()[0] == []
    return found


def ended(stack: Stack, answer: httpx2.Response) -> JobStatus:
    """The job of an answer, when it has ended."""
    return stack.client().job(answer.json()["job"]).wait(60)


# -- what becomes a job ----------------------------------------------------------------------------------------------
def test_a_form_becomes_a_job_with_its_options(stack: Stack, http: httpx2.Client) -> None:
    options = {"pages": "2-3", "priority": "high", "text-layer": "ignore", "format": "alto"}
    answer = http.post(JOBS, files={"file": ("ä scan.tif", numbered.document(4))}, data=options)
    assert answer.status_code == 202
    job = answer.json()
    assert answer.headers["Location"] == f"{JOBS}/{job['job']}" == job["links"]["self"]
    assert int(answer.headers["Retry-After"]) > 0
    assert (job["name"], job["owner"]) == ("ä scan.tif", None)
    record = stack.client().ledger.job(job["job"])
    assert record.options.given() == {
        "pages": "2-3",
        "priority": "high",
        "text_layer": "ignore",
        "formats": ["alto"],
    }
    assert ended(stack, answer).ok == 2
    assert stack.client().job(job["job"]).text().split() == ["page", "2", "page", "3"]


def test_a_body_of_any_type_becomes_a_job(stack: Stack, http: httpx2.Client) -> None:
    content = numbered.document(1)
    for headers, name in [
        ({"X-Filename": "b%20c.tif"}, "b c.tif"),
        ({"Content-Disposition": "attachment; filename*=UTF-8''%C3%A4.tif"}, "ä.tif"),
        ({"Content-Type": "application/x-www-form-urlencoded"}, "document"),  # what curl --data-binary sends
    ]:
        answer = http.post(JOBS, params={"lang": "en"}, content=content, headers=headers)
        assert (answer.status_code, answer.json()["name"]) == (202, name)
        assert ended(stack, answer).ok == 1
    assert http.post(JOBS, params={"name": "my.tif"}, content=content).json()["name"] == "my.tif"


def test_a_url_becomes_a_job_that_a_worker_downloads(stack: Stack, http: httpx2.Client) -> None:
    answer = http.post(JOBS, json={"url": f"{ALLOWED}a%20b.pdf", "formats": ["pdf"], "fresh": True})
    assert answer.status_code in (200, 202)  # 200: a worker has tried already
    assert answer.json()["name"] == "a b.pdf"
    status = ended(stack, answer)
    assert (status.state, status.code) == ("failed", "source_unreachable")


def test_a_url_that_no_worker_may_read_is_refused_at_once_in_every_api(stack: Stack, http: httpx2.Client) -> None:
    before = stack.client().ledger.jobs()
    url = "http://127.0.0.1:2/a.pdf"
    docling = {"sources": [{"kind": "http", "url": url}]}
    for path, body in {
        JOBS: {"url": url},
        "/v1/ocr": {"document": {"document_url": url}},
        "/documentintelligence/documentModels/prebuilt-read:analyze": {"urlSource": url},
        "/v1/convert/source": docling,
        "/v1/convert/source/async": docling,
    }.items():
        answer = http.post(path, json=body)
        assert answer.status_code == 422, answer.text
        assert "source_not_allowed" in answer.text
        assert "OCR_ALLOWED_SOURCES" in answer.text
    with pytest.raises(DocumentError, match="OCR_ALLOWED_SOURCES") as raised:
        stack.client().submit(url)
    assert raised.value.code == "source_not_allowed"
    assert stack.client().ledger.jobs() == before


def test_a_webhook_that_no_worker_can_sign_is_refused_at_once(stack: Stack) -> None:
    """The clients over Redis do not have the settings of the workers, which announce them."""
    with pytest.raises(InvalidOptions, match="the webhook needs a secret"):
        stack.client().submit(numbered.document(1), webhook="https://example.org/hook")
    with pytest.raises(DocumentError, match="may not be called"):
        stack.client().submit(numbered.document(1), webhook={"url": "http://10.0.0.7/", "secret": SECRET})


def test_several_files_become_several_jobs_or_problems(stack: Stack, http: httpx2.Client) -> None:
    files = [("file", (name, content)) for name, content in
             [("a.tif", numbered.document(1)), ("empty.tif", b""), ("c.tif", numbered.document(2))]]  # fmt: skip
    answer = http.post(JOBS, files=files, headers={"Idempotency-Key": "three"})
    assert answer.status_code == 202
    first, problem, last = answer.json()["jobs"]
    assert (first["name"], last["name"]) == ("a.tif", "c.tif")
    assert (problem["name"], problem["status"], problem["code"]) == ("empty.tif", 422, "empty_file")
    assert [stack.client().job(job["job"]).wait(60).ok for job in (first, last)] == [1, 2]
    same = http.post(JOBS, files=files, headers={"Idempotency-Key": "three"})
    assert (same.status_code, [job.get("job") for job in same.json()["jobs"]]) == (
        200,
        [first["job"], None, last["job"]],
    )
    other = http.post(JOBS, files=[files[0], files[1], files[0]], headers={"Idempotency-Key": "three"})
    assert (other.json()["jobs"][0]["job"], other.json()["jobs"][2]["code"]) == (first["job"], "invalid_options")


def test_a_request_can_wait_for_the_end(stack: Stack, http: httpx2.Client) -> None:
    answer = http.post(JOBS, params={"wait": 60}, content=numbered.document(2))
    assert (answer.status_code, answer.json()["state"], answer.json()["ok"]) == (200, "done", 2)
    files = [("file", (f"{n}.tif", numbered.document(n))) for n in (1, 2)]
    answer = http.post(JOBS, params={"wait": 60}, files=files)
    assert (answer.status_code, [job["ok"] for job in answer.json()["jobs"]]) == (200, [1, 2])


# -- keys of idempotency ---------------------------------------------------------------------------------------------
def test_a_repeat_gets_the_same_job_and_other_contents_are_refused(stack: Stack, http: httpx2.Client) -> None:
    content, headers = numbered.document(1), {"Idempotency-Key": '"8e03"'}
    first = http.post(JOBS, content=content, headers=headers)
    again = http.post(JOBS, files={"file": ("document", content)}, data={"key": "8e03"})
    assert (first.status_code, again.status_code) == (202, 200)
    assert first.json()["job"] == again.json()["job"] == stack.client().submit(content, key="8e03").id
    for other in (
        http.post(JOBS, content=numbered.document(2), headers=headers),
        http.post(JOBS, params={"dpi": 100}, content=content, headers=headers),
    ):
        assert (other.status_code, other.json()["code"]) == (422, "invalid_options")
        assert "8e03" in other.json()["detail"]
    assert http.post(JOBS, params={"key": "other"}, content=content, headers=headers).status_code == 422


def test_a_second_request_is_refused_while_the_first_arrives(
    http: httpx2.Client, web: Web, footprint: Footprint
) -> None:
    with connected(web, upload_head(1000, "Idempotency-Key: slow") + b"y") as slow:
        eventually(lambda: footprint.now()[0])
        answer = http.post(JOBS, content=b"x", headers={"Idempotency-Key": "slow"})
        assert (answer.status_code, answer.json()["code"]) == (409, "key_in_use")
        assert int(answer.headers["Retry-After"]) > 0
        slow.sendall(b"y" * 999)
        assert b" 202 " in answered(slow)
    answer = http.post(JOBS, content=b"y" * 1000, headers={"Idempotency-Key": "slow"})
    assert answer.status_code == 200


def test_many_equal_requests_at_a_time_make_one_job(stack: Stack, web: Web) -> None:
    def post(_: int) -> httpx2.Response:
        with web.client() as client:
            while (
                answer := client.post(JOBS, content=content, headers={"Idempotency-Key": "many"})
            ).status_code == 409:
                time.sleep(0.05)
            return answer

    content, before = numbered.document(1), len(stack.client().jobs())
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(post, range(8)))
    assert sorted(answer.status_code for answer in answers) == [*[200] * 7, 202]
    assert len({answer.json()["job"] for answer in answers}) == 1
    assert len(stack.client().jobs()) == before + 1


def test_two_callers_never_share_a_job(stack: Stack, tmp_path: Path) -> None:
    file = {"OCR_API_KEYS": str(tmp_path / "keys.json")}
    web, content = start_web(stack, "keyed", **file), numbered.document(1)
    keys = [new_key(stack, name, keys=tmp_path / "keys.json") for name in ("anna", "bob")]
    jobs = []
    for key in keys:
        with web.client(key) as client:
            answer = client.post(JOBS, content=content, headers={"Idempotency-Key": "mine"})
            assert answer.status_code == 202
            jobs.append(answer.json())
            assert client.post(JOBS, content=content, headers={"Idempotency-Key": "mine"}).status_code == 200
    assert [job["owner"] for job in jobs] == ["anna", "bob"]
    assert jobs[0]["job"] != jobs[1]["job"]
    web.kill(signal.SIGTERM)


def test_a_key_may_have_so_many_open_pages(stack: Stack, tmp_path: Path) -> None:
    web = start_web(stack, "limited", OCR_API_KEYS=str(tmp_path / "keys.json"))
    key = new_key(stack, "anna", keys=tmp_path / "keys.json", open_pages=3)
    with web.client(key) as client:
        pages = dict.fromkeys(range(1, 5), numbered.SLOW)
        first = client.post(JOBS, content=numbered.document(4, pages))
        assert first.status_code == 202
        refused = client.post(JOBS, content=numbered.document(1))
        assert (refused.status_code, refused.json()["code"]) == (429, "too_many_open_pages")
        assert int(refused.headers["Retry-After"]) > 0
        ended(stack, first)
        assert client.post(JOBS, content=numbered.document(1)).status_code == 202
    web.kill(signal.SIGTERM)


# -- what is refused -------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("given", "status", "code"),
    [
        ({"content": b"x", "params": {"colour": "red"}}, 422, "invalid_options"),
        ({"content": b"x", "params": {"password": "secret"}}, 422, "invalid_options"),
        ({"content": b"x", "params": {"wait": "soon"}}, 422, "invalid_request"),
        ({"content": b"x", "headers": {"Idempotency-Key": ""}}, 422, "invalid_options"),
        ({"content": b""}, 422, "empty_file"),
        ({"json": {"url": "file:///etc/passwd"}}, 422, "invalid_options"),
        ({"json": ["http://example.org"]}, 422, "invalid_options"),
        ({"json": {"url": "http://example.org", "dpi": "many"}}, 422, "invalid_options"),
        ({"content": b"{", "headers": {"Content-Type": "application/json"}}, 422, "invalid_options"),
        ({"files": {"file": ("a", b"x")}, "data": {"dpi": "9999"}}, 422, "invalid_options"),
        ({"files": {"scan": ("a", b"x")}}, 422, "invalid_request"),
        ({"content": b"x", "headers": {"Content-Type": "multipart/form-data; boundary=X"}}, 400, "incomplete_request"),
        ({"content": b"<p>", "headers": {"Content-Type": "text/html; charset=utf-8"}}, 415, "unsupported_format"),
        ({"content": b"PK", "headers": {"Content-Type": "Application/ZIP"}}, 415, "unsupported_format"),
        ({"content": b"x" * (2 * MB + 1)}, 413, "too_large"),
        ({"files": {"file": ("a", b"x" * (4 * MB))}}, 413, "too_large"),
        ({"files": [("file", ("a", b"x" * (2 * MB))), ("file", ("b", b"x" * (2 * MB)))]}, 413, "too_large"),
    ],
)  # fmt: skip
def test_bad_requests_get_a_problem_and_leave_nothing(
    http: httpx2.Client, footprint: Footprint, given: dict[str, Any], status: int, code: str
) -> None:
    answer = http.post(JOBS, **given)
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert footprint.is_as_before()


def test_a_form_without_a_file_is_refused(http: httpx2.Client, footprint: Footprint) -> None:
    answer = http.post(JOBS, files={"lang": (None, "de")})
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_options")
    assert "curl -F file=@scan.pdf" in answer.json()["detail"]
    assert footprint.is_as_before()


def test_a_waiting_client_that_goes_away_cancels_its_job_unless_it_has_a_key(stack: Stack, web: Web) -> None:
    def leave(*headers: str) -> str:
        before = set(stack.client().ledger.jobs())
        content = numbered.document(4, dict.fromkeys(range(1, 5), numbered.SLOW))
        head = upload_head(len(content), *headers).replace(JOBS.encode(), JOBS.encode() + b"?wait=60", 1)
        with connected(web, head + content):
            (job,) = eventually(lambda: set(stack.client().ledger.jobs()) - before)
        return job

    assert stack.client().job(leave()).wait(60).state == "cancelled"
    assert stack.client().job(leave("Idempotency-Key: kept")).wait(60).state == "done"


# -- kills and several processes -------------------------------------------------------------------------------------
@pytest.mark.thorough
def test_two_processes_are_one_service_and_a_kill_loses_nothing(stack: Stack) -> None:
    """Clients submit to two processes; one is killed in each round. They repeat what was not answered."""
    webs = [start_web(stack, "left"), start_web(stack, "right")]
    before, each = set(stack.client().ledger.jobs()), 15
    acknowledged: dict[int, str] = {}

    def send(number: int) -> None:
        headers = {"Idempotency-Key": f"kill {number}", "X-Filename": f"{number}.tif"}
        content = numbered.document(1, salt=number)
        for attempt in range(500):
            url = webs[(number + attempt) % 2].url + JOBS
            try:
                answer = httpx2.post(url, content=content, headers=headers, timeout=20, trust_env=False)
            except httpx2.TransportError:  # killed, or not up yet
                time.sleep(0.05)
                continue
            if answer.status_code in (200, 202):
                acknowledged[number] = answer.json()["job"]
                return
            assert answer.status_code == 409, answer.text  # the killed process was taking it
            time.sleep(0.2)
        raise AssertionError(f"{number} was never taken")

    for kill in range(2):
        with ThreadPoolExecutor(6) as pool:
            sending = pool.map(send, range(kill * each, (kill + 1) * each))
            eventually(lambda kill=kill: len(acknowledged) > kill * each + 2, 30, 0.005)  # type: ignore[misc]
            webs[0].kill()
            webs[0] = start_web(stack, f"left{kill}")
            list(sending)
    jobs = [acknowledged[number] for number in range(2 * each)]
    assert len(set(jobs)) == 2 * each
    assert set(stack.client().ledger.jobs()) - before == set(jobs)
    stack.start_beat()  # a process that was killed after it created a job has sent no message; the reconciler does
    statuses = [stack.client().job(job).wait(150) for job in jobs]
    assert [(status.name, status.state) for status in statuses] == [(f"{n}.tif", "done") for n in range(2 * each)]
    assert list((stack.folder / "data" / "spool" / "uploads").iterdir()) == []
    for web in webs:
        web.kill(signal.SIGTERM)


@pytest.mark.thorough
def test_a_job_of_one_process_is_seen_by_the_other(stack: Stack, web: Web) -> None:
    other = start_web(stack, "other")
    with web.client() as here, other.client() as there:
        job = here.post(JOBS, content=numbered.document(1), headers={"Idempotency-Key": "shared"}).json()["job"]
        assert there.get(f"{JOBS}/{job}", params={"wait": 60}).json()["state"] == "done"
        again = there.post(JOBS, content=numbered.document(1), headers={"Idempotency-Key": "shared"})
        assert (again.status_code, again.json()["job"]) == (200, job)
    other.kill(signal.SIGTERM)
