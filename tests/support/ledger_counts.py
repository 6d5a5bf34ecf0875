"""The figures that the ledger has to keep, counted from the plain model: by what each step changed in each page."""

from collections import Counter

import redis as redis_py

from ocrqueue import names
from ocrqueue.ledger import figures
from ocrqueue.options import Options
from tests.support.ledger_model import PlainLedger

ENDS = ("ok", "failed", "cancelled")


class Counts:
    """Counts after each step how many pages ended, were read by a worker, or were claimed for the first time."""

    def __init__(self) -> None:
        self.pages: dict[
            tuple[str, int, int], tuple[str | None, bool]
        ] = {}  # by job, creation, page: state, never claimed
        self.ended: Counter[tuple[str, str]] = Counter()
        self.read: int = 0
        self.claimed: int = 0
        self.since: dict[tuple[str, int], int] = {}  # by job and number of its creation: when it got open pages

    def look(self, plain: PlainLedger) -> None:
        """Count what changed since the last look."""
        for name, job in plain.jobs.items():
            for page in job.pages:
                key = (name, job.number, page.number)
                before, fresh = self.pages.get(key, (None, True))
                self.pages[key] = page.state, page.fresh
                if page.state != before and page.state in ENDS:
                    self.ended["rapidocr", page.state] += 1
                    self.read += (before, page.state) == ("claimed", "ok")
                self.claimed += fresh and page.state == "claimed"
        waits = {(name, job.number) for name, job in plain.jobs.items() if job.backlog}
        self.since = {key: self.since.get(key, plain.now) for key in waits}

    def check(self, redis: "redis_py.Redis", plain: PlainLedger, options: dict[str, Options]) -> None:
        """The ledger's figures are those of the model."""
        self.look(plain)
        found = figures.read(redis)
        assert figures.are_whole(redis)
        assert {state: n for state, n in found.jobs.items() if n} == Counter(
            job.state for job in plain.jobs.values() if not job.structuring
        )
        open_pages: Counter[tuple[str, str]] = Counter()
        for name, job in plain.jobs.items():
            open_pages["rapidocr" if job.pages else figures.UNKNOWN, options[name].priority] += job.backlog
        pages = [page for job in plain.jobs.values() if not job.structuring for page in job.pages]
        assert found.failed == sum(page.state == "failed" for page in pages)
        assert {labels: n for labels, n in found.pages_open.items() if n} == +open_pages
        assert found.pages == self.ended
        assert sum(h.buckets[2.5] for h in found.seconds.values()) == self.read
        assert sum(h.buckets[0.9] for h in found.confidence.values()) == self.read
        assert sum(sum(h.buckets.values()) + h.more for h in found.wait.values()) == self.claimed
        assert dict(redis.zrange(names.WAITING, 0, -1, withscores=True)) == {n: t for (n, _), t in self.since.items()}
