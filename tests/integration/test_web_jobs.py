"""Jobs over HTTP: one, lists, pages, commands, and what a key may see. The tests do the work of the workers."""

import threading
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

from ocrqueue.client import Job
from ocrqueue.errors import PageError
from ocrqueue.web.keys import Right
from tests.support.harness import Stack, running
from tests.support.player import Reader, read
from tests.support.web import Web, new_key, start_web

STRANGER = "0b4c8a2e-5f0e-4c57-9b6e-3f1f7c1f2a10"


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    with running() as stack:
        stack.client().spool.prepare()
        yield stack


@pytest.fixture(scope="module")
def web(stack: Stack) -> Web:
    return start_web(stack)


@pytest.fixture(autouse=True)
def _empty(stack: Stack) -> None:
    stack.redis.flushall()


def submit(stack: Stack, name: str = "scan.pdf", owner: str | None = None) -> Job:
    return stack.client().submit(b"abc", name=name, owner=owner)


def get(web: Web, path: str, key: str | None = None, **query: Any) -> httpx2.Response:
    with web.client(key) as http:
        return http.get(f"/api/v1/{path}", params=query)


def items(web: Web, path: str, key: str | None = None, **query: Any) -> list[Any]:
    """All items of a list, part by part."""
    found: list[Any] = []
    while True:
        answer = get(web, path, key, **query)
        assert answer.status_code == 200, answer.text
        found += answer.json()["items"]
        query["cursor"] = answer.json()["next_cursor"]
        if query["cursor"] is None:
            return found


def test_a_job_has_its_state_counts_and_pages(stack: Stack, web: Web) -> None:
    job = submit(stack)
    queued = get(web, f"jobs/{job.id}", pages=True).json()
    reader = Reader(stack.client(), job)
    reader.open(5)
    reader.step(failing=[1])
    reader.step()
    running = get(web, f"jobs/{job.id}", pages=True).json()
    reader.read()
    done = get(web, f"jobs/{job.id}").json()
    assert (queued["state"], queued["pages"], queued["page_states"]) == ("queued", None, {})
    assert (running["state"], running["ok"], running["failed"]) == ("running", 1, 1)
    assert running["page_states"] == {"failed": "1", "ok": "2", "open": "3-5"}
    assert (done["state"], done["ok"], done.get("page_states")) == ("partial", 4, None)
    assert {**done, "links": None} == {**job.status().to_json(), "links": None}
    assert get(web, done["links"]["pages"].removeprefix("/api/v1/")).status_code == 200


def test_a_request_waits_for_the_end(stack: Stack, web: Web) -> None:
    job = submit(stack)
    worker = threading.Timer(0.5, read, (stack.client(), job))
    worker.start()
    assert get(web, f"jobs/{job.id}", wait=50).json()["state"] == "done"
    worker.join()
    assert get(web, f"jobs/{submit(stack).id}", wait=0.5).json()["state"] == "queued"


def test_pages_are_listed_and_read_one_by_one(stack: Stack, web: Web) -> None:
    job = submit(stack)
    early = get(web, f"jobs/{job.id}/pages/1")
    reader = Reader(stack.client(), job)
    reader.open(4)
    reader.step()
    reader.step(failing=[2])
    states = items(web, f"jobs/{job.id}/pages", limit=1)
    assert [(page["page"], page["state"]) for page in states] == [(1, "ok"), (2, "failed"), (3, "open"), (4, "open")]
    assert states[1]["error"] == {"code": "engine_error", "message": "the engine failed; see the worker log"}
    assert [page["page"] for page in items(web, f"jobs/{job.id}/pages", state="open")] == [3, 4]
    pages = [get(web, f"jobs/{job.id}/pages/{number}") for number in range(1, 6)]
    assert [page.status_code for page in pages] == [200, 200, 409, 409, 404]
    assert [page.json()["code"] for page in pages[2:]] == ["not_ready", "not_ready", "not_found"]
    assert (early.status_code, early.json()["code"], early.headers["retry-after"]) == (409, "not_ready", "2")
    reader.read()
    assert [page.json() for page in pages[:2]] == job.result()["pages"][:2]


def test_commands_do_what_those_of_the_client_do(stack: Stack, web: Web) -> None:
    job, path = submit(stack), "/api/v1/jobs/"
    with web.client() as http:
        assert http.delete(path + job.id).json()["code"] == "wrong_state"
        assert http.post(f"{path}{job.id}/retry").json()["code"] == "wrong_state"
        assert http.post(f"{path}{job.id}/cancel").json()["cancelling"]
        reader = Reader(stack.client(), job)
        reader.open(2)
        assert reader.tickets[0].kind == "assemble"
        reader.read()
        assert http.get(path + job.id).json()["state"] == "cancelled"
        retried = http.post(f"{path}{job.id}/retry").json()
        assert (retried["state"], retried["round"], retried["cancelled"]) == ("running", 2, 0)
        other = submit(stack)
        Reader(stack.client(), other).refuse(PageError("corrupt_file", "it is damaged"))
        assert (http.delete(path + other.id).status_code, http.get(path + other.id).status_code) == (204, 404)
        assert not (stack.folder / "data" / "spool" / "jobs" / other.id).exists()


def test_jobs_are_listed_newest_first_in_parts_that_stay_stable(stack: Stack, web: Web) -> None:
    jobs = [submit(stack, f"Scan {n}.pdf") for n in range(7)]
    stack.redis.zadd("ocr:jobs", {job.id: 5.0 for job in jobs[2:5]})  # created in the same millisecond
    expected = [s["job"] for s in items(web, "jobs")]
    assert sorted(expected) == sorted(job.id for job in jobs)
    assert expected[:4] == [jobs[6].id, jobs[5].id, jobs[1].id, jobs[0].id]
    assert [s["job"] for s in items(web, "jobs", limit=1)] == expected
    first = get(web, "jobs", limit=4).json()
    submit(stack, "new.pdf")
    rest = items(web, "jobs", cursor=first["next_cursor"])
    assert [s["job"] for s in first["items"] + rest] == expected


def test_jobs_are_filtered(stack: Stack, web: Web) -> None:
    old, done, other = submit(stack, "Old Scan.pdf"), submit(stack, "scan.pdf"), submit(stack, "Invoice.pdf", "billing")
    read(stack.client(), done)
    stack.redis.zadd("ocr:jobs", {old.id: 1000.0})

    def ids(**query: Any) -> list[str]:
        return [s["job"] for s in items(web, "jobs", **query)]

    assert ids(state="queued") == [other.id, old.id]
    assert ids(state="done") == [done.id]
    assert ids(state="failed") == []
    assert ids(name="sCAN") == [done.id, old.id]
    assert ids(owner="billing") == [other.id]
    assert ids(owner="nobody") == []
    assert ids(created_to="1970-01-01T01:00:00Z") == ids(created_to="3600") == [old.id]
    assert old.id not in ids(created_from="1970-01-01T01:00:00")
    assert (ids(name="invoice", state="queued"), ids(name="invoice", state="done")) == ([other.id], [])


def test_dead_pages_are_listed_in_parts(stack: Stack, web: Web) -> None:
    job, other = submit(stack, "a.pdf", "billing"), submit(stack, "b.pdf")
    read(stack.client(), job, 5, [2, 3, 5])
    Reader(stack.client(), other).refuse(PageError("timeout", "it took too long"))
    expected = [page.to_json() for page in stack.client().dead()]
    assert [(page["name"], page["page"]) for page in expected] == [
        ("a.pdf", 2),
        ("a.pdf", 3),
        ("a.pdf", 5),
        ("b.pdf", 0),
    ]
    assert items(web, "dead") == items(web, "dead", limit=1) == expected


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("jobs", {"cursor": "x"}),
        ("jobs", {"cursor": "bmFuIHg"}),  # "nan x"
        ("dead", {"cursor": "%%%"}),
        ("jobs", {"state": "lost"}),
        ("jobs", {"limit": "0"}),
        ("jobs", {"limit": "many"}),
        ("jobs", {"created_from": "yesterday"}),
        (f"jobs/{STRANGER}", {"wait": "-1"}),
        (f"jobs/{STRANGER}", {"wait": "nan"}),
        (f"jobs/{STRANGER}/pages/0", {}),
        (f"jobs/{STRANGER}/pages/x", {}),
    ],
)
def test_wrong_parameters_are_refused_with_a_reason(web: Web, path: str, query: dict[str, str]) -> None:
    answer = get(web, path, **query)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code"] in ("invalid_request", "invalid_options")
    assert len(answer.json()["detail"]) > 10


@pytest.mark.parametrize("path", ["jobs/" + STRANGER, "jobs/x", f"jobs/{STRANGER}/pages", f"jobs/{STRANGER}/result"])
def test_unknown_jobs_are_404(web: Web, path: str) -> None:
    answer = get(web, path)
    assert (answer.status_code, answer.json()["code"]) == (404, "unknown_job")


def test_other_paths_and_methods_are_problems_too(web: Web) -> None:
    with web.client() as http:
        for answer, status in ((http.get("/api/v1/nothing"), 404), (http.put("/api/v1/jobs"), 405)):
            assert (answer.status_code, answer.json()["status"]) == (status, status)
            assert answer.headers["content-type"] == "application/problem+json"
            assert "/openapi.json" in answer.json()["detail"]  # where to find the paths and methods that there are


def test_a_key_sees_and_changes_only_its_jobs() -> None:
    with running() as stack:
        stack.client().spool.prepare()
        own = new_key(stack, "own")
        auditor = new_key(stack, "auditor", Right.READ_ALL)
        operator = new_key(stack, "operator", Right.OPERATE)
        submitter = new_key(stack, "submitter", Right.SUBMIT)
        web = start_web(stack)
        mine, foreign = submit(stack, "mine.pdf", "own"), submit(stack, "foreign.pdf")
        read(stack.client(), mine, 2, [1])
        read(stack.client(), foreign, 2, [1])

        def status(method: str, path: str, key: str) -> int:
            with web.client(key) as http:
                return http.request(method, f"/api/v1/jobs/{path}").status_code

        seen = [mine.id]
        for key in (own, auditor, operator):
            assert [s["job"] for s in items(web, "jobs", key)] == seen
            assert [page["job"] for page in items(web, "dead", key)] == seen[::-1]
            seen = [foreign.id, mine.id]
        assert items(web, "jobs", own, owner="operator") == []
        for part in ("", "/result", "/pages", "/pages/2", "/events"):
            found = [status("GET", foreign.id + part, key) for key in (own, auditor, operator, submitter)]
            assert found == [404, 200, 200, 403], part
            assert status("GET", mine.id + part, own) == 200
        for method, part in (("POST", "/cancel"), ("POST", "/retry"), ("DELETE", "")):
            assert [status(method, foreign.id + part, key) for key in (own, auditor)] == [404, 403]
        assert [status("POST", f"{job.id}/cancel", key) for job, key in ((mine, own), (foreign, operator))] == [
            200,
            200,
        ]
        assert [status("DELETE", job.id, key) for job, key in ((mine, own), (foreign, operator))] == [204, 204]
        assert get(web, "jobs").status_code == 401
