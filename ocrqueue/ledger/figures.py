"""Figures of the whole queue, over all workers: numbers of jobs and pages, histograms, and the speed of the last hour.

The ledger's scripts count in the same atomic step that changes a job, so a page that ends is counted once. Reading them
takes a few Redis commands, however many jobs there are.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from redis import Redis

from ocrqueue import names
from ocrqueue.ledger.workers import Worker
from ocrqueue.pages import READ_AGAIN
from ocrqueue.states import JobState

UNKNOWN = "unknown"  # the engine of jobs whose document is not opened yet
STRUCTURE = "structure"  # what the pages of a structuring have instead of an engine; workers of all engines take them
MINUTES = 60  # minutes for which pages are kept in `names.MINUTES`
# upper bounds of the buckets of each histogram, ascending; the last bucket has no bound
BOUNDS: Mapping[str, tuple[float, ...]] = {
    "seconds": (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300),
    "wait": (1, 5, 15, 60, 300, 900, 3600, 14400, 86400),
    "confidence": (0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95, 0.98),
}
_PRIORITIES = {str(number): name for name, number in names.PRIORITIES.items()}
_STRUCTURING = ("structuring", "structured")  # instead of the state of a structuring that is open, or has ended
Labels = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Measured:
    """What is measured of a page that was read."""

    seconds: float | None  # time of the engine; None: the page was taken from the page cache
    confidence: float | None  # mean of its lines, 0 to 1; None: the engine gives none
    quality: float | None = None  # see `ocrqueue.quality`, 0 to 1; None: it is not known
    read_twice: bool = False  # whether a second engine was asked to read it, too
    second: Mapping[str, str] | None = None  # engine and model of the second one that has read it; None: none has

    @property
    def may_be_read_better(self) -> bool:
        """Whether one engine has read the page, and another one may read it better."""
        return not self.read_twice and self.quality is not None and self.quality < READ_AGAIN


@dataclass(frozen=True, slots=True)
class Histogram:
    """How often a value was in each bucket."""

    buckets: Mapping[float, int]  # number of values by upper bound, of this bucket alone; all bounds, ascending
    more: int  # number of values above the last bound
    sum: float  # of all values


@dataclass(frozen=True, slots=True)
class Figures:
    """The figures of a queue at one time. Labels are in the order that the comments name."""

    jobs: Mapping[JobState, int]  # jobs in Redis, every state
    pages_open: Mapping[Labels, int]  # by engine and priority; a document that is not opened yet counts as ten pages
    oldest: float  # seconds since the oldest open page was submitted, or asked for again; 0 if no page is open
    oldest_job: float  # seconds since the oldest job that has not ended was submitted; 0 if all have ended
    dead: int  # failed pages and documents that a retry may read
    pages: Mapping[Labels, int]  # pages that ended, by engine and state; a page that is retried ends again
    cached: Mapping[Labels, int]  # pages of them that were taken from the page cache, by engine
    seconds: Mapping[Labels, Histogram]  # time of the engine for a page, by engine
    wait: Mapping[Labels, Histogram]  # seconds until a worker takes a page, by engine and priority
    confidence: Mapping[Labels, Histogram]  # of pages, by engine
    events: Mapping[Labels, int]  # what `count` counted, by kind and what
    reconciled: float | None  # seconds since the reconciler last ran; None: it never did
    cache_bytes: int  # size of the page cache
    failed: int = 0  # failed pages of all jobs in Redis


@dataclass(frozen=True, slots=True)
class Minute:
    """What workers did for one engine in one minute."""

    minute: int  # since 1970
    engine: str
    pages: int  # that were read or failed
    seconds: float  # for which these pages kept worker children busy


def read(redis: Redis) -> Figures:
    """The figures of this queue. Raises redis.RedisError."""
    with redis.pipeline() as pipe:
        pipe.hgetall(names.COUNTS)
        pipe.hgetall(names.FIGURES)
        pipe.zrange(names.WAITING, 0, 0, withscores=True)
        pipe.zrange(names.OPEN, 0, 0, withscores=True)
        pipe.hget(names.RECONCILER, "last")
        pipe.hget(names.CACHE, "bytes")
        pipe.zcard(names.DEAD)
        pipe.time()
        counts, figures, first, first_job, reconciled, cache, dead, (seconds, _) = pipe.execute()
    found = _split(figures)
    return Figures(
        jobs={state: int(counts.get(f"jobs {state}", 0)) for state in JobState},
        pages_open={(engine, _PRIORITIES[p]): n for (engine, p), n in _split(counts).get("open", {}).items()},
        oldest=_age(first, seconds),
        oldest_job=_age(first_job, seconds),
        dead=dead,
        pages=found.get("pages", {}),
        cached=found.get("cached", {}),
        seconds=_histograms("seconds", found),
        wait={(engine, _PRIORITIES[p]): h for (engine, p), h in _histograms("wait", found).items()},
        confidence=_histograms("confidence", found),
        events=found.get("event", {}),
        reconciled=max(0.0, seconds - float(reconciled)) if reconciled else None,
        cache_bytes=max(0, int(cache or 0)),
        failed=max(0, int(counts.get("failed", 0))),  # below 0 after steps of an older version
    )


def _age(first: list[tuple[str, float]], now: float) -> float:
    """Seconds since the time of the first member of a sorted set; 0 if the set is empty."""
    return max(0.0, now - first[0][1]) if first else 0.0


def _split(fields: Mapping[str, str]) -> dict[str, dict[Labels, int]]:
    """The fields of a hash, whose names are words: by the first word, then by the other words."""
    found: dict[str, dict[Labels, int]] = {}
    for field, value in fields.items():
        kind, *labels = field.split(" ")
        found.setdefault(kind, {})[tuple(labels)] = int(value)
    return found


def _histograms(name: str, found: Mapping[str, Mapping[Labels, int]]) -> dict[Labels, Histogram]:
    """The histograms of this name by their labels. The last word of a field is a bound, "more" or "sum"."""
    values = found.get(name, {})
    made = {}
    for labels in sorted({words[:-1] for words in values}):
        buckets = {bound: values.get((*labels, f"{bound:g}"), 0) for bound in BOUNDS[name]}
        made[labels] = Histogram(buckets, values.get((*labels, "more"), 0), values.get((*labels, "sum"), 0) / 1000)
    return made


def count(redis: Redis, kind: str, what: str) -> None:
    """Count an event outside the ledger, such as a refused submission. `kind` and `what` are words of a few kinds.

    Raises redis.RedisError.
    """
    redis.hincrby(names.FIGURES, f"event {kind} {what}", 1)


def are_whole(redis: Redis) -> bool:
    """Whether the jobs that are counted are as many as there are, with their failed pages.

    They are fewer after a step of an older version.
    """
    with redis.pipeline() as pipe:
        pipe.hgetall(names.COUNTS)
        pipe.zcard(names.JOBS)
        pipe.zcard(names.OPEN)
        counts, all_jobs, open_jobs = pipe.execute()
    jobs = {state: int(counts.get(f"jobs {state}", 0)) for state in (*JobState, *_STRUCTURING)}
    still = sum(jobs[state] for state in (JobState.QUEUED, JobState.RUNNING, _STRUCTURING[0]))
    is_whole = "whole" in counts or not all_jobs
    return bool(is_whole and sum(jobs.values()) == all_jobs and still == open_jobs)


# -- the last hour ---------------------------------------------------------------------------------------------------
def last_hour(redis: Redis) -> list[Minute]:
    """What workers did in the last `MINUTES` minutes, oldest first. Minutes without a page are left out."""
    with redis.pipeline() as pipe:
        pipe.hgetall(names.MINUTES)
        pipe.time()
        fields, (now, _) = pipe.execute()
    found = []
    for field, value in fields.items():
        minute, pages, busy = map(int, value.split(" "))
        if minute > now // 60 - MINUTES:
            found.append(Minute(minute, field.split(" ")[0], pages, busy / 1000))
    return sorted(found, key=lambda one: (one.minute, one.engine))


def pages_per_minute(redis: Redis) -> list[int]:
    """How many pages workers read in each of the last `MINUTES` minutes, oldest first; the last minute is not over."""
    (now, _) = redis.time()
    counts = dict.fromkeys(range(now // 60 - MINUTES + 1, now // 60 + 1), 0)
    for one in last_hour(redis):
        counts[one.minute] = counts.get(one.minute, 0) + one.pages
    return list(counts.values())[-MINUTES:]


def page_speed(minutes: Iterable[Minute]) -> dict[str, float]:
    """Seconds for which a page of each engine kept a worker child busy, on average over these minutes."""
    pages: dict[str, int] = {}
    busy: dict[str, float] = {}
    for one in minutes:
        pages[one.engine] = pages.get(one.engine, 0) + one.pages
        busy[one.engine] = busy.get(one.engine, 0.0) + one.seconds
    return {engine: busy[engine] / n for engine, n in pages.items() if n}


def seconds_left(
    pages_open: Mapping[Labels, int], speed: Mapping[str, float], workers: Iterable[Worker]
) -> float | None:
    """Seconds until all open pages are read, with the live workers and at this speed; 0 if no page is open.

    `pages_open` is that of `Figures`, `speed` the result of `page_speed`. Pages whose engine is not known, or has no
    speed, take as long as the slowest. None if no speed is known, or if an engine with open pages has no worker.
    """
    waiting: dict[str, int] = {}
    for (engine, _), pages in pages_open.items():
        waiting[engine] = waiting.get(engine, 0) + pages
    if not any(waiting.values()):
        return 0.0
    readers = [worker for worker in workers if worker.engines]
    by_all = (UNKNOWN, STRUCTURE)
    children = {engine: sum(w.children for w in readers if engine in (*by_all, *w.engines)) for engine in waiting}
    if not speed or not all(children[engine] for engine, pages in waiting.items() if pages):
        return None
    work = {engine: pages * speed.get(engine, max(speed.values())) for engine, pages in waiting.items() if pages}
    alone = max(seconds / children[engine] for engine, seconds in work.items())
    return max(alone, sum(work.values()) / sum(worker.children for worker in readers))  # a child serves several engines
