"""Submitting many documents, with a function instead of a queue."""

import gc
import io
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from ocrqueue.client.submission import AnySource, Parameters, Request
from ocrqueue.client.submission import many as module
from ocrqueue.client.submission.many import AT_ONCE, Document, Submissions, one_by_one
from ocrqueue.errors import DocumentError, InvalidOptions, QueueFull, QueueUnavailable, StorageError, Unconfirmed

Submit = Callable[[str, AnySource, Parameters], str]


def text(source: AnySource) -> str:
    assert isinstance(source, bytes)
    return source.decode()


def named(number: int) -> bytes:
    return str(number).encode()


def test_submissions_have_the_order_of_the_sources() -> None:
    later = threading.Event()

    def submit(_: str, source: AnySource, __: Parameters) -> str:
        if source == b"0":
            assert later.wait(20)  # the others are submitted meanwhile
        if source == named(AT_ONCE - 1):
            later.set()
        return text(source)

    found = list(Submissions(one_by_one(submit), map(named, range(50)), {}))
    assert [one.job for one in found] == [str(n) for n in range(50)]
    assert [one.source for one in found] == [named(n) for n in range(50)]
    assert {one.error for one in found} == {None}


def test_a_bad_document_does_not_stop_the_others() -> None:
    wrong = DocumentError("empty", "empty_file")

    def submit(_: str, source: AnySource, __: Parameters) -> str:
        if source == b"3":
            raise wrong
        return text(source)

    found = list(Submissions(one_by_one(submit), map(named, range(20)), {}))
    assert [(one.job, one.error) for one in found] == [
        (None, wrong) if n == 3 else (str(n), None) for n in range(20)
    ]  # fmt: skip


@pytest.mark.parametrize("error", [QueueFull("full"), StorageError("the disk is full")])
def test_after_a_refusal_of_the_queue_the_rest_is_not_tried(error: Exception) -> None:
    tried = []

    def submit(_: str, source: AnySource, __: Parameters) -> str:
        tried.append(source)
        if source == b"2":
            raise error
        return text(source)

    found = list(Submissions(one_by_one(submit), map(named, range(6)), {}, at_once=lambda: 1))
    assert tried == [b"0", b"1", b"2"]
    assert [one.job for one in found] == ["0", "1", None, None, None, None]
    assert [one.error for one in found[2:]] == [error] * 4


def test_documents_after_one_without_an_answer_have_no_jobs_of_it() -> None:
    def submit(job: str, _: AnySource, __: Parameters) -> str:
        raise Unconfirmed(job, "Redis does not answer")

    first, second = Submissions(one_by_one(submit), [b"0", b"1"], {}, at_once=lambda: 1)
    assert isinstance(first.error, Unconfirmed)
    assert type(second.error) is QueueUnavailable
    assert "it was not tried" in str(second.error)


def test_documents_have_parameters_of_their_own() -> None:
    given: list[tuple[str, Parameters]] = []

    def submit(job: str, source: AnySource, parameters: Parameters) -> str:
        given.append((job, parameters))
        return text(source)

    documents = [Document(b"a", key="one", lang="de"), b"b", Document(b"c", key="one"), Document(b"d", key="")]
    *_, last = Submissions(one_by_one(submit), documents, {"lang": "en", "key": None}, at_once=lambda: 1)
    assert [p for _, p in given] == [
        {"lang": "de", "key": "one"}, {"lang": "en", "key": None}, {"lang": "en", "key": "one"},
    ]  # fmt: skip
    assert given[0][0] == given[2][0] != given[1][0]  # the id follows from the key
    assert isinstance(last.error, InvalidOptions)  # the empty key is an error of that document alone
    with pytest.raises(InvalidOptions, match="option key is for one document"):
        Submissions(one_by_one(submit), documents, {"key": "all"})


def test_documents_with_the_same_key_are_submitted_one_after_the_other() -> None:
    documents = [Document(b"1", key="k"), b"2", Document(b"3", key="other"), Document(b"4", key="k"), b"5"]
    under_way: set[str] = set()
    together: list[list[AnySource]] = []

    def submit(requests: Sequence[Request]) -> list[str | Exception]:
        together.append([one.source for one in requests])
        jobs = [one.job for one in requests]
        assert under_way.isdisjoint(jobs)
        under_way.update(jobs)
        time.sleep(0.2)  # others could come meanwhile
        under_way.difference_update(jobs)
        return [text(one.source) for one in requests]

    found = list(Submissions(submit, documents, {}, together=8))
    assert [(one.job, one.error) for one in found] == [(str(n), None) for n in range(1, 6)]
    assert not any({b"1", b"4"} <= set(group) for group in together)
    order = [source for group in together for source in group]
    assert order.index(b"1") < order.index(b"4")


def test_few_sources_are_taken_ahead_of_the_first_submission() -> None:
    taken: list[int] = []
    free = threading.Event()

    def sources() -> Iterator[bytes]:
        for number in range(100):
            taken.append(number)
            yield named(number)

    def submit(_: str, source: AnySource, __: Parameters) -> str:
        free.wait(20)
        return text(source)

    submissions = Submissions(one_by_one(submit), sources(), {})
    assert not taken
    threading.Timer(0.05, free.set).start()
    next(submissions)
    assert len(taken) == AT_ONCE


def test_documents_that_wait_are_submitted_together() -> None:
    groups: list[list[AnySource]] = []
    free = threading.Event()

    def submit(requests: Sequence[Request]) -> list[str | Exception]:
        groups.append([one.source for one in requests])
        if len(groups) <= AT_ONCE:
            free.wait(20)  # all threads are busy, so the others wait
        return [ValueError("odd") if int(text(one.source)) % 2 else text(one.source) for one in requests]

    def sources() -> Iterator[bytes]:
        for number in range(40):
            if number == 30:
                free.set()
            yield named(number)

    found = list(Submissions(submit, sources(), {}, lambda: 40, together=3))
    assert [one.job for one in found] == [None if n % 2 else str(n) for n in range(40)]
    assert [type(one.error) for one in found[1::2]] == [ValueError] * 20
    assert sorted(source for group in groups for source in group) == sorted(map(named, range(40)))
    assert max(map(len, groups)) == 3


def test_documents_in_memory_are_not_taken_far_ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_HELD", 100)
    taken: list[int] = []

    def sources() -> Iterator[bytes]:
        for number in range(100):
            taken.append(number)
            yield bytes(10)

    submissions = Submissions(one_by_one(lambda *_: "job"), sources(), {}, lambda: 50)
    next(submissions)
    assert len(taken) == 10


def test_what_the_sources_raise_comes_after_the_documents_before() -> None:
    def sources() -> Iterator[bytes]:
        yield b"0"
        yield b"1"
        raise KeyError("no more")

    submissions = Submissions(one_by_one(lambda _, source, __: text(source)), sources(), {})
    assert [next(submissions).job, next(submissions).job] == ["0", "1"]
    with pytest.raises(KeyError, match="no more"):
        next(submissions)
    assert list(submissions) == []


def test_streams_and_pipes_are_read_by_the_caller(tmp_path: Path) -> None:
    def submit(*_: object) -> threading.Thread:
        return threading.current_thread()

    (tmp_path / "file").write_bytes(b"x")
    os.mkfifo(tmp_path / "pipe")
    sources = [io.BytesIO(b"x"), tmp_path / "pipe", tmp_path / "file", "https://host.example/a", tmp_path / "none"]
    here = [one.job is threading.current_thread() for one in Submissions(one_by_one(submit), sources, {})]
    assert here == [True, True, False, False, False]


def test_a_path_that_cannot_be_looked_at_is_an_error_of_its_document() -> None:
    def submit(_: str, source: AnySource, __: Parameters) -> str:
        return text(source) if isinstance(source, bytes) else str(Path(str(source)).stat())

    first, second, third = Submissions(one_by_one(submit), [b"0", "x" * 5000, b"2"], {})
    assert (first.job, third.job) == ("0", "2")
    assert isinstance(second.error, OSError)


@pytest.mark.parametrize("left", [None, "found"])
def test_ctrl_c_while_a_stream_is_read_waits_for_nothing(monkeypatch: pytest.MonkeyPatch, left: str | None) -> None:
    """The interrupted document counts if its job exists."""
    waited: list[bool] = []
    monkeypatch.setattr(module, "wait", lambda futures, _: waited.extend(future.done() for future in futures))

    def submit(*_: object) -> str:
        raise KeyboardInterrupt

    submissions = Submissions(one_by_one(submit), [io.BytesIO(b"x"), b"1"], {}, find=lambda _: left)
    with pytest.raises(KeyboardInterrupt):
        next(submissions)
    assert waited == [True]
    assert [one.job for one in submissions] == ([left] if left else [])


def test_ctrl_c_takes_no_further_source_and_keeps_what_is_under_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of three documents under way one arrives, one is found as a job, and one has left nothing."""
    monkeypatch.setattr(module, "_CLOSING", 0.5)
    hanging, ids, interrupted = threading.Event(), {}, threading.Event()

    def submit(job: str, source: AnySource, __: Parameters) -> str:
        ids[source] = job
        if source == b"0":
            assert interrupted.wait(20)
        else:
            hanging.wait(20)
        return text(source)

    def sources() -> Iterator[bytes]:
        yield from (b"0", b"1", b"2")
        while len(ids) < 3:
            time.sleep(0.01)
        interrupted.set()
        raise KeyboardInterrupt

    submissions = Submissions(one_by_one(submit), sources(), {}, find=lambda job: "found" if job == ids[b"1"] else None)
    with pytest.raises(KeyboardInterrupt):
        next(submissions)
    assert [(one.source, one.job) for one in submissions] == [(b"0", "0"), (b"1", "found")]
    hanging.set()


def test_the_threads_end_with_the_submissions() -> None:
    before = set(threading.enumerate())  # those of earlier tests may end meanwhile
    submissions = Submissions(one_by_one(lambda _, source, __: text(source)), map(named, range(100)), {})
    assert next(submissions).job == "0"
    assert set(threading.enumerate()) - before
    del submissions  # not iterated to the end
    gc.collect()
    end = time.monotonic() + 20
    while set(threading.enumerate()) - before:
        assert time.monotonic() < end, "threads are left"
        time.sleep(0.01)
