"""Submitting many documents: several at a time, because the disk syncs several files almost as fast as one."""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, wait
from dataclasses import dataclass, field
from functools import partial
from os import PathLike
from queue import SimpleQueue
from threading import Thread
from typing import Generic, TypeVar, Unpack, cast

from ocrqueue.client.submission import AnySource, Parameters, Received, is_url, job_id
from ocrqueue.errors import InvalidOptions, QueueUnavailable, StorageError, Unconfirmed

AT_ONCE = 8  # documents that are under way at most; more are no faster
_CLOSING = 5.0  # seconds for those under way to arrive after Ctrl-C
_OWN = ("key", "name")  # parameters that two documents never share
J = TypeVar("J", covariant=True)  # noqa: PLC0105 -- a job


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


@dataclass(slots=True)
class _Begun(Generic[J]):
    """A document that is under way."""

    source: AnySource
    parameters: Parameters
    job: str = ""  # its id, once it is tried
    future: "Future[J]" = field(default_factory=Future)


class Submissions(Iterator[Submission[J]]):
    """Submits documents while it is iterated, and yields what became of each, in their order.

    Each is stored and recorded as `submit` does it, and yielded only then. At most `AT_ONCE` sources are taken before
    the first of them is yielded. Streams, pipes and devices are read by the thread that iterates. Once the queue or the
    spool has refused a document, the rest is not tried and has the same error. What `sources` itself raises is raised
    after the documents before it.

    Ctrl-C takes no further source, and waits for those under way for some seconds; what became of them can still be
    iterated.
    """

    def __init__(
        self,
        submit: Callable[[str, AnySource, Parameters], J],
        sources: Iterable[AnySource | Document],
        parameters: Parameters,
        at_once: Callable[[], int] = lambda: AT_ONCE,
        find: Callable[[str], J | None] = lambda _: None,
    ) -> None:
        """`submit(id, source, parameters)` submits one document.

        `at_once()` is the number of documents that may be under way now. `find(id)` is the job that an interrupted
        submission has left, or None. Raises InvalidOptions.
        """
        if shared := [name for name in _OWN if parameters.get(name) is not None]:
            raise InvalidOptions(f"option {shared[0]} is for one document: give each its own, as Document(source, ...)")
        self._submit, self._at_once, self._find = submit, at_once, find
        self._sources = iter(sources)
        self._parameters = parameters
        self._begun: deque[_Begun[J]] = deque()
        self._threads = _Threads()
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
        while len(self._begun) < self._at_once():
            try:
                given = next(self._sources)
            except StopIteration:
                return
            except Exception as e:  # noqa: BLE001 -- raised later
                self._sources, self._broken = iter(()), e
                return
            document = given if isinstance(given, Document) else Document(given)
            parameters: Parameters = {**self._parameters, **document.parameters}
            one: _Begun[J] = _Begun(document.source, parameters)
            self._begun.append(one)
            if _may_block(document.source):
                self._run(one)
            else:
                self._threads.run(partial(self._run, one))

    def _run(self, one: _Begun[J]) -> None:
        future = one.future  # `close` may give it another
        if not future.set_running_or_notify_cancel():
            return
        if self._refusal:
            future.set_exception(self._refusal)
            return
        try:
            one.job = job_id(one.parameters.get("key"))
            job = self._submit(one.job, one.source, one.parameters)
        except Exception as e:  # noqa: BLE001 -- the caller gets it
            if isinstance(e, Unconfirmed):  # it names its own job
                self._refusal = QueueUnavailable("it was not tried: Redis did not answer for a document before it")
            elif isinstance(e, QueueUnavailable | StorageError):
                self._refusal = e
            future.set_exception(e)
        except BaseException as e:  # Ctrl-C while the caller's thread reads a stream: `close` must not wait for it
            future.set_exception(e)
            raise
        else:
            future.set_result(job)


class _Threads:
    """Threads that end with this object. They do not keep the process alive, unlike those of `concurrent.futures`."""

    def __init__(self) -> None:
        self._tasks: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._count = 0

    def run(self, task: Callable[[], None]) -> None:
        """Run a task in one of at most `AT_ONCE` threads."""
        self._tasks.put(task)
        if self._count < AT_ONCE:
            self._count += 1
            Thread(target=_work, args=(self._tasks,), daemon=True).start()

    def __del__(self) -> None:
        for _ in range(self._count):
            self._tasks.put(None)


def _work(tasks: "SimpleQueue[Callable[[], None] | None]") -> None:
    while (task := tasks.get()) is not None:
        task()
        del task  # it holds the object whose end ends this thread


def _may_block(source: AnySource) -> bool:
    """Whether a source may belong to the thread of the caller, or wait for others: a stream, a pipe, a device."""
    if isinstance(source, bytes | bytearray | memoryview | Received) or is_url(source):
        return False
    if isinstance(source, str | PathLike):
        return os.path.exists(source) and not os.path.isfile(source)  # noqa: PTH110, PTH113 -- those of Path may raise
    return True
