"""The events of a job over HTTP. The tests do the work of the workers through the ledger."""

import threading
from collections.abc import Iterator

import httpx2
import pytest

from ocrqueue.client import Job
from tests.support.harness import Stack, running
from tests.support.player import Reader, read
from tests.support.sse import Event, events
from tests.support.web import Web, start_web


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    with running() as stack:
        stack.client().spool.prepare()
        yield stack


@pytest.fixture(scope="module")
def web(stack: Stack) -> Web:
    return start_web(stack)


@pytest.fixture
def job(stack: Stack) -> Job:
    return stack.client().submit(b"abc", name="scan.pdf")


def listen(web: Web, job: Job, last: str = "") -> list[Event]:
    """All events of a job, from one connection."""
    with web.client() as http, http.stream("GET", path(job), headers={"Last-Event-ID": last} if last else {}) as stream:
        assert stream.status_code == 200, stream.read()
        return list(events(stream))


def path(job: Job) -> str:
    return f"/api/v1/jobs/{job.id}/events"


def pages_of(found: list[Event]) -> list[tuple[int, str]]:
    return [(event.data["page"], event.data["state"]) for event in found if event.kind == "page"]


def test_head_does_not_wait_for_the_end_of_the_stream(web: Web, job: Job) -> None:
    with web.client() as http:
        head = http.head(path(job), timeout=30)
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-type"].startswith("text/event-stream")


def test_the_state_comes_first_then_each_page_once_then_the_end(stack: Stack, web: Web, job: Job) -> None:
    worker = threading.Thread(target=read, args=(stack.client(), job, 5, [3]))
    with web.client() as http, http.stream("GET", path(job)) as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        found = []
        for event in events(stream):
            found.append(event)
            if len(found) == 1:
                worker.start()
    worker.join()
    assert (found[0].kind, found[0].data["state"]) == ("job", "queued")
    assert pages_of(found) == [(1, "ok"), (2, "ok"), (3, "failed"), (4, "ok"), (5, "ok")]
    assert [e.data["finished"] for e in found if e.kind == "page"] == [1, 2, 3, 4, 5]
    (end,) = [e for e in found if e.kind == "end"]
    assert found[-1] == end
    assert (end.data["state"], end.data["ok"], end.data["failed"]) == ("partial", 4, 1)


def test_a_client_goes_on_after_any_event_without_loss_or_repetition(stack: Stack, web: Web, job: Job) -> None:
    read(stack.client(), job, 9, [4])
    whole = listen(web, job)
    assert len(pages_of(whole)) == 9
    for index, event in enumerate(whole[:-1]):
        rest = listen(web, job, event.id)
        assert pages_of(whole[: index + 1]) + pages_of(rest) == pages_of(whole)
        assert [rest[0].kind, rest[-1].kind] == ["job", "end"]


def test_a_client_that_has_the_end_is_told_to_stop(stack: Stack, web: Web, job: Job) -> None:
    read(stack.client(), job)
    last = listen(web, job)[-1].id
    assert httpx2.get(web.url + path(job), headers={"Last-Event-ID": last}).status_code == 204


def test_after_a_retry_only_the_pages_come_again_that_were_not_read(stack: Stack, web: Web, job: Job) -> None:
    reader = Reader(stack.client(), job)
    reader.open(3)
    reader.read(failing=[2])
    last = listen(web, job)[-1].id
    reader.tickets = stack.client().ledger.retry(job.id, 1).messages
    reader.read()
    again = listen(web, job, last)
    assert pages_of(again) == [(2, "ok")]
    assert (again[-1].kind, again[-1].data["round"], again[-1].data["state"]) == ("end", 2, "done")


@pytest.mark.thorough
def test_events_go_on_at_another_process_and_over_a_restart(stack: Stack, web: Web, job: Job) -> None:
    other = start_web(stack, "other")
    reader = Reader(stack.client(), job)
    reader.open(6)
    found: list[Event] = []

    def follow(source: Web, until: int) -> None:
        """Take events until so many pages have come."""
        last = {"Last-Event-ID": found[-1].id} if found else {}
        with source.client() as http, http.stream("GET", path(job), headers=last) as stream:
            for event in events(stream):
                found.append(event)
                if len(pages_of(found)) == until:
                    return

    reader.step()
    reader.step()
    follow(other, 2)
    other.kill()
    reader.step()
    reader.step()
    follow(web, 4)
    other = start_web(stack, "other")
    reader.step()
    follow(other, 5)
    reader.read()
    found += listen(web, job, found[-1].id)
    other.kill()
    assert [page for page, _ in pages_of(found)] == [1, 2, 3, 4, 5, 6]
    assert found[-1].kind == "end"


def test_a_wrong_id_is_refused(web: Web, job: Job) -> None:
    for wrong in ("x", "1;2-1;", "1;1,2;", "1;;;;", "1;1-;"):
        answer = httpx2.get(web.url + path(job), headers={"Last-Event-ID": wrong})
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")


def test_an_unknown_job_is_404(web: Web) -> None:
    for unknown in ("0b4c8a2e-5f0e-4c57-9b6e-3f1f7c1f2a10", "x"):
        answer = httpx2.get(f"{web.api}/jobs/{unknown}/events")
        assert (answer.status_code, answer.json()["code"]) == (404, "unknown_job")
        assert answer.headers["content-type"] == "application/problem+json"
