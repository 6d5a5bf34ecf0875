"""Submitting many documents: several at a time, because the disk syncs several files almost as fast as one."""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, wait
from contextlib import suppress
from dataclasses import dataclass, field
from os import PathLike
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Generic, TypeVar, Unpack, cast

from ocrqueue.client.submission import AnySource, Parameters, Received, Request, UrlSource, is_url, job_id
from ocrqueue.errors import InvalidOptions, QueueUnavailable, StorageError, Unconfirmed

AT_ONCE = 8  # documents, or groups of them, that are under way at most; more are no faster
_HELD = 64 << 20  # bytes in memory of the documents under way, above which no more than AT_ONCE are
_CLOSING = 5.0  # seconds for those under way to arrive after Ctrl-C
_OWN = ("key", "name")  # parameters that two documents never share
J = TypeVar("J", covariant=True)  # noqa: PLC0105 -- a job
T = TypeVar("T")
_Task = tuple[Callable[[Sequence[T]], None], T]


class Document:
    """A source of `submit_many` with parameters of its own, such as a key. They go before those of all."""

    def __init__(self, source: AnySource, **parameters: Unpack[Parameters]) -> None:
        self.source = source
        self.parameters = parameters


@dataclass(frozen=True, slots=True)
class Submission(Generic[J]):
    """What became of one source of `submit_many`."""

    source: AnySource
    job: J | None  # None: there is no job
    error: Exception | None  # what `submit` raised, or None


def one_by_one(
    submit: Callable[[str, AnySource, Parameters], J],
) -> Callable[[Sequence[Request]], list[J | Exception]]:
    """A function for `Submissions` that submits each document of a group with `submit(id, source, parameters)`."""

    def submit_all(requests: Sequence[Request]) -> list[J | Exception]:
        found: list[J | Exception] = []
        for one in requests:
            try:
                found.append(submit(one.job, one.source, one.parameters))
            except Exception as e:  # noqa: BLE001 -- the caller gets it
                found.append(e)
        return found

    return submit_all


@dataclass(slots=True)
class _Begun(Generic[J]):
    """A document that is under way."""

    source: AnySource
    parameters: Parameters
    job: str = ""  # its id, once it is tried
    future: "Future[J]" = field(default_factory=Future)


class Submissions(Iterator[Submission[J]]):
    """Submits documents while it is iterated, and yields what became of each, in their order.

    Each is stored and recorded as `submit` does it, and yielded only then. At most `at_once()` sources are taken before
    the first of them is yielded. Documents with the same key are submitted one after the other. Streams, pipes and
    devices are read by the thread that iterates. Once the queue or the spool has refused a document, the rest is not
    tried and has the same error. What `sources` itself raises is raised after the documents before it.

    Ctrl-C takes no further source, and waits for those under way for some seconds; what became of them can still be
    iterated.
    """

    def __init__(
        self,
        submit: Callable[[Sequence[Request]], Sequence[J | Exception]],
        sources: Iterable[AnySource | Document],
        parameters: Parameters,
        at_once: Callable[[], int] = lambda: AT_ONCE,
        find: Callable[[str], J | None] = lambda _: None,
        together: int = 1,
    ) -> None:
        """`submit(requests)` submits at most `together` documents; for each it returns its job or its error.

        `at_once()` is the number of documents that may be under way now. `find(id)` is the job that an interrupted
        submission has left, or None. Raises InvalidOptions.
        """
        if shared := [name for name in _OWN if parameters.get(name) is not None]:
            raise InvalidOptions(f"option {shared[0]} is for one document: give each its own, as Document(source, ...)")
        self._submit, self._at_once, self._find = submit, at_once, find
        self._sources = iter(sources)
        self._parameters = parameters
        self._begun: deque[_Begun[J]] = deque()
        self._threads: _Threads[_Begun[J]] = _Threads(together)
        self._refusal: Exception | None = None  # of the queue: further documents are not tried
        self._broken: Exception | None = None  # what `sources` raised

    def __next__(self) -> Submission[J]:
        try:
            self._begin()
            error = self._begun[0].future.exception() if self._begun else None
        except KeyboardInterrupt:
            self.close()
            raise
        if self._begun:
            first = self._begun.popleft()
            return Submission(first.source, None if error else first.future.result(), cast("Exception | None", error))
        broken, self._broken = self._broken, None
        raise broken or StopIteration

    def close(self) -> None:
        """Take no further source, and wait for some seconds for the documents under way. The rest is forgotten.

        A document that is still under way then counts as submitted if its job exists.
        """
        self._sources = iter(())
        begun, self._begun = self._begun, deque()
        left = [one for one in begun if not one.future.cancel()]
        wait([one.future for one in left], _CLOSING)
        for one in left:
            if not one.future.done() or not isinstance(one.future.exception(), Exception | None):  # or interrupted
                if not one.job or (job := self._find(one.job)) is None:
                    continue
                one.future = Future()
                one.future.set_result(job)
            self._begun.append(one)

    def _begin(self) -> None:
        """Begin as many documents as may be under way."""
        while len(self._begun) < self._at_once() and (len(self._begun) < AT_ONCE or self._held() < _HELD):
            try:
                given = next(self._sources)
            except StopIteration:
                return
            except Exception as e:  # noqa: BLE001 -- raised later
                self._sources, self._broken = iter(()), e
                return
            document = given if isinstance(given, Document) else Document(given)
            parameters: Parameters = {**self._parameters, **document.parameters}
            if (key := parameters.get("key")) is not None:
                wait([begun.future for begun in self._begun if begun.parameters.get("key") == key])
            one: _Begun[J] = _Begun(document.source, parameters)
            self._begun.append(one)
            if _may_block(document.source):
                self._run([one])
            else:
                self._threads.run(self._run, one)

    def _held(self) -> int:
        """Length of the documents under way that their sources hold in memory, in bytes."""
        sources = (one.source for one in self._begun)
        return sum(memoryview(s).nbytes for s in sources if isinstance(s, bytes | bytearray | memoryview))

    def _run(self, group: "Sequence[_Begun[J]]") -> None:
        tried = []
        for one in group:
            future = one.future  # `close` may give it another
            if not future.set_running_or_notify_cancel():
                continue
            try:
                if self._refusal:
                    raise self._refusal
                one.job = job_id(one.parameters.get("key"))
            except Exception as e:  # noqa: BLE001 -- the caller gets it
                future.set_exception(e)
            else:
                tried.append((Request(one.job, one.source, one.parameters), future))
        if not tried:
            return
        try:
            answers = self._submit([request for request, _ in tried])
        except BaseException as e:  # Ctrl-C while the caller's thread reads a stream: `close` must not wait for it
            for _, future in tried:
                future.set_exception(e)
            raise
        for (_, future), answer in zip(tried, answers, strict=True):
            if isinstance(answer, Exception):
                self._note_refusal(answer)
                future.set_exception(answer)
            else:
                future.set_result(answer)

    def _note_refusal(self, error: Exception) -> None:
        if isinstance(error, Unconfirmed):  # it names its own job
            self._refusal = QueueUnavailable("it was not tried: Redis did not answer for a document before it")
        elif isinstance(error, QueueUnavailable | StorageError):
            self._refusal = error


class _Threads(Generic[T]):
    """Threads that end with this object. They do not keep the process alive, unlike those of `concurrent.futures`."""

    def __init__(self, together: int) -> None:
        self._together = together
        self._tasks: SimpleQueue[_Task[T] | None] = SimpleQueue()
        self._count = 0

    def run(self, work: Callable[[Sequence[T]], None], item: T) -> None:
        """Let one of at most `AT_ONCE` threads work on this item, and on up to `together` that wait, all at once."""
        self._tasks.put((work, item))
        if self._count < AT_ONCE:
            self._count += 1
            Thread(target=_work, args=(self._tasks, self._together), daemon=True).start()

    def __del__(self) -> None:
        for _ in range(self._count):
            self._tasks.put(None)


def _work(tasks: "SimpleQueue[_Task[T] | None]", together: int) -> None:
    while (task := tasks.get()) is not None:
        work, items = task[0], [task[1]]
        with suppress(Empty):
            while len(items) < together:
                if (task := tasks.get_nowait()) is None:
                    tasks.put(None)
                    break
                items.append(task[1])
        work(items)
        del task, work, items  # they hold the object whose end ends this thread


def _may_block(source: AnySource) -> bool:
    """Whether a source may belong to the thread of the caller, or wait for others: a stream, a pipe, a device."""
    if isinstance(source, bytes | bytearray | memoryview | Received | UrlSource) or is_url(source):
        return False
    if isinstance(source, str | PathLike):
        return os.path.exists(source) and not os.path.isfile(source)  # noqa: PTH110, PTH113 -- those of Path may raise
    return True
