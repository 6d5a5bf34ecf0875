"""Steps of a job as the tests of the ledger take them, and what they look at."""

from typing import Any

import redis as redis_py

from ocrqueue import names
from ocrqueue.client.listing import all_dead
from ocrqueue.errors import PageError
from ocrqueue.ledger import Claim, Ledger, Mending, Source, Step
from ocrqueue.options import Options

START = 1_700_000_000
JOB = "5f0c9a52-6f6e-4b1e-9d55-0a4f7a2b7c11"  # as long as real ones, for the memory tests
SOURCE = Source("scan.pdf", file="source-5", sha256="5", bytes=1)
BROKEN = PageError("engine_error", "the engine gave up")
BUSY: dict[str, Any] = {"queue_empty": False, "documents_empty": False, "patience": 3600}
IDLE: dict[str, Any] = {"queue_empty": True, "documents_empty": True, "patience": 3600}


def later(ledger: Ledger, seconds: float) -> None:
    assert ledger.clock is not None
    ledger.clock += seconds


def sent(step: Step) -> list[tuple[Any, ...]]:
    return [(m.kind, *m.args) for m in step.messages]


def dead(ledger: Ledger) -> list[tuple[str, int]]:
    """(job, page) of all failed pages that a retry may read, oldest first; page 0 is the document."""
    return [(page.job, page.page) for page in all_dead(ledger)]


def opened(ledger: Ledger, pages: int = 3, lanes: int = 1, job: str = JOB, **options: Any) -> Step:
    """A job whose pages are open, and the step that opened them."""
    ledger.create(job, SOURCE, Options(**options))
    assert ledger.begin(job, "document", "opener")
    record = {
        "total": pages,
        "engine": "rapidocr",
        "model": "pp-ocrv6-small",
        "revision": "1",
        "queue": "pages.rapidocr",
    }
    return ledger.open(job, "opener", pages, lanes, record)


def turn(ledger: Ledger, token: str, lane: int = 0, batch: int = 1, job: str = JOB, children: int = 1) -> Claim:
    """What the lane's present ticket takes."""
    lanes: Any = ledger.redis.hget(names.job_key(job), f"lane:{lane}")
    claim = ledger.claim(job, lane, int(lanes.split(" ")[0]), token, batch, children)
    assert claim, "nothing was there to claim"
    return claim


def read(ledger: Ledger, *codes: str | None, job: str = JOB) -> Step:
    """One page after another is read (None) or fails; the last step."""
    step = Step(False)
    for i, code in enumerate(codes):
        claim = turn(ledger, f"reader{i}", job=job)
        step = ledger.finish(claim, {claim.pages[0].number: PageError(code, "it is so") if code else None})
    return step


def retry(ledger: Ledger, job: str = JOB) -> Step:
    """Begin the next round."""
    return ledger.retry(job, ledger.job(job).round)


def assembled(ledger: Ledger, job: str = JOB, missing: tuple[int, ...] = ()) -> str:
    """The state in which the assembly leaves the job."""
    round_ = ledger.job(job).round
    assert ledger.begin(job, "assemble", "assembler", round_)
    return str(ledger.end(job, round_, "assembler", missing).reply["state"])


def mend(ledger: Ledger, lanes: int, job: str = JOB, **order: Any) -> Step:
    """What the reconciler does with the job; `order` as of `Mending`."""
    step = ledger.mend(Mending(job, lanes, **order))[job]
    assert step is not None, "a record of a newer version"
    return step


def states(ledger: Ledger, job: str = JOB) -> list[str]:
    return [page.state for page in ledger.pages(ledger.job(job))]


def commands(redis: "redis_py.Redis") -> int:
    """The commands that Redis has run, also those in scripts, without those that ask for this number."""
    return sum(int(row["calls"]) for name, row in redis.info("commandstats").items() if name != "cmdstat_info")


def dump(redis: "redis_py.Redis") -> dict[str, Any]:
    """Every key with its content."""
    keys = sorted(redis.keys())
    with redis.pipeline() as pipe:
        for key in keys:
            if key.startswith(names.job_key("")) or key in (names.COUNTS, names.FIGURES, names.MINUTES):
                pipe.hgetall(key)
            elif key == names.BACKLOG or key.startswith(names.celery_result_key("")):
                pipe.get(key)
            elif key == "somewhere":
                pipe.lrange(key, 0, -1)
            else:
                pipe.zrange(key, 0, -1, withscores=True)
        return dict(zip(keys, pipe.execute(), strict=True))
