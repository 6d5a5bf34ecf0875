"""Figures, models and memory of workers over HTTP; at first without a worker that opens documents."""

from collections.abc import Iterator

import httpx2
import pytest

from ocrqueue.web.keys import Right
from tests.support.harness import Stack, eventually, running
from tests.support.numbered import document
from tests.support.web import Web, new_key, start_web


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    with running() as stack:
        stack.start_worker()
        yield stack


@pytest.fixture(scope="module")
def web(stack: Stack) -> Web:
    return start_web(stack)


def test_stats_say_what_is_open_and_why_nothing_moves(stack: Stack, web: Web) -> None:
    job = stack.client().submit(document(3), priority="high")
    found = httpx2.get(f"{web.api}/stats").json()
    assert (found["jobs"]["queued"], found["jobs"]["done"]) == (1, 0)
    assert found["pages_open"] == [{"engine": "unknown", "priority": "high", "pages": 10}]
    assert [(worker["engines"], worker["children"]) for worker in found["workers"]] == [(["numbered"], 1)]
    (why,) = found["waiting_for"]
    assert why.startswith("no worker opens documents")
    stack.start_documents(children=1)
    job.wait(60)
    after = httpx2.get(f"{web.api}/stats").json()
    assert (after["jobs"]["queued"], after["jobs"]["done"], after["waiting_for"]) == (0, 1, [])
    assert (sum(after["pages_per_minute"]), after["pages_open"], after["seconds_left"]) == (3, [], 0)


def test_models_in_memory_are_listed_and_freed(stack: Stack, web: Web) -> None:
    stack.client().submit(document(1, salt=1)).wait(60)

    def loaded() -> list[dict[str, str]]:
        found = httpx2.get(f"{web.api}/models").json()
        assert found["models"] == []
        return [child["models"] for child in found["children"] if child["models"]]

    assert eventually(loaded) == [{"numbered": "none"}]
    answer = httpx2.post(f"{web.api}/models/unload?wait=30", timeout=60)
    assert {child["outcome"] for child in answer.json()["children"]} == {"freed"}
    assert loaded() == []


def test_rights(stack: Stack) -> None:
    keys = [new_key(stack, right, right) for right in (Right.READ, Right.READ_ALL, Right.OPERATE)]
    with_keys = start_web(stack, "keys")

    def statuses(method: str, path: str) -> list[int]:
        found = []
        for key in keys:
            with with_keys.client(key) as http:
                found.append(http.request(method, f"/api/v1/{path}").status_code)
        return found

    assert statuses("GET", "stats") == [200, 200, 200]
    assert statuses("GET", "models") == [403, 200, 200]
    assert statuses("POST", "models/unload?wait=0") == [403, 403, 200]
