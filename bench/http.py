"""The HTTP API beside the Python client: submissions per second, latencies, memory, and events for many clients.

`python -m bench.http [--submissions N] [--rounds N] [--jobs N] [--upload-mb N] [--clients N] [--out FILE]`. Clients,
server and workers share the machine.
"""

import asyncio
import time
from argparse import ArgumentParser
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

import httpx2

from bench.support import raw, table
from bench.support.stack import machine, private_stack
from tests.support import numbered
from tests.support.harness import Stack
from tests.support.uploads import JOBS
from tests.support.web import Web, start_web

MB = 1 << 20
AT_A_TIME = 4  # threads that submit together
FOLLOWED = 10  # jobs that are followed
PAGES = 4  # of each of them
NAME = "scan.tif"


@dataclass(frozen=True, slots=True)
class Run:
    """Submissions of one side."""

    side: str  # "client" or "HTTP"
    at_a_time: int  # threads that submit
    seconds: float  # from the first submission to the end of the last
    latencies: list[float]  # seconds of each submission

    @property
    def speed(self) -> float:
        """Submissions per second."""
        return len(self.latencies) / self.seconds


def percentile(values: list[float], share: float) -> float:
    """The value that this share of the values does not exceed."""
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def submissions(side: str, count: int, at_a_time: int, submit: Callable[[bytes], object]) -> Run:
    """Submit different documents of one page."""

    def timed(number: int) -> float:
        content = numbered.document(1, salt=number)
        started = time.monotonic()
        submit(content)
        return time.monotonic() - started

    with ThreadPoolExecutor(at_a_time) as pool:
        started = time.monotonic()
        latencies = list(pool.map(timed, range(count)))
        return Run(side, at_a_time, time.monotonic() - started, latencies)


def poster(http: httpx2.Client) -> Callable[[bytes], object]:
    """A function that submits a document over HTTP."""

    def post(content: bytes) -> None:
        http.post(JOBS, content=content, headers={"X-Filename": NAME}).raise_for_status()

    return post


def compare(stack: Stack, web: Web, count: int, rounds: int) -> list[Run]:
    """Both sides in turn, with one thread and with several. The first submissions of each are not counted."""
    client, runs = stack.client(), []
    with web.client() as http:
        sides: list[tuple[str, Callable[[bytes], object]]] = [
            ("client", lambda content: client.submit(content, name=NAME)),
            ("HTTP", poster(http)),
        ]
        for side, submit in sides:
            submissions(side, 20, AT_A_TIME, submit)
        for _ in range(rounds):
            runs += [submissions(side, count, n, submit) for n in (1, AT_A_TIME) for side, submit in sides]
    return runs


def memory_of_jobs(web: Web, count: int) -> tuple[int, int]:
    """Resident bytes of the process before and after this many submissions."""
    before = web.process.memory_info().rss
    with web.client() as http:
        submissions("HTTP", count, AT_A_TIME, poster(http))
    return before, web.process.memory_info().rss


def large_upload(web: Web, megabytes: int) -> tuple[float, int]:
    """Seconds of one upload, and the bytes by which the process grew meanwhile at most."""
    before, largest = web.process.memory_info().rss, 0

    def body() -> Iterator[bytes]:
        nonlocal largest
        for number in range(megabytes):
            if number % 16 == 0:
                largest = max(largest, web.process.memory_info().rss)
            yield bytes([number % 251]) * MB

    with web.client() as http:
        started = time.monotonic()
        http.post(JOBS, content=body(), headers={"Content-Length": str(megabytes * MB)}).raise_for_status()
        return time.monotonic() - started, max(largest, web.process.memory_info().rss) - before


async def follow(stack: Stack, web: Web, clients: int) -> list[float]:
    """Seconds from the moment when a page is in the spool until a client has its event, for each client and page."""
    submit = stack.client().submit
    jobs = [submit(numbered.document(PAGES, salt=n), engine="slow").id for n in range(FOLLOWED)]
    limits = httpx2.Limits(max_connections=None)
    async with httpx2.AsyncClient(base_url=web.url, timeout=300, limits=limits, trust_env=False) as http:
        found = await asyncio.gather(*(_follow(stack, http, jobs[n % FOLLOWED]) for n in range(clients)))
    return [seconds for one in found for seconds in one]


async def _follow(stack: Stack, http: httpx2.AsyncClient, job: str) -> list[float]:
    """The delays of one client, which reads the events of a job until its end."""
    async with http.stream("GET", f"{JOBS}/{job}/events") as answer:
        received = [time.time() async for line in answer.aiter_lines() if line == "event: page"]
    pages = stack.folder / "data" / "spool" / "jobs" / job / "pages"
    stored = sorted(file.stat().st_mtime for file in pages.iterdir())
    return [at - since for at, since in zip(received, stored, strict=True)]


def show_submissions(runs: list[Run]) -> None:
    """Print the table of both sides, and the ratio of their medians."""
    rows = [
        (r.side, r.at_a_time, r.speed, 1000 * percentile(r.latencies, 0.5), 1000 * percentile(r.latencies, 0.99))
        for r in runs
    ]
    table.show(("side", "at a time", "submissions/s", "p50 ms", "p99 ms"), rows)
    for n in (1, AT_A_TIME):
        client, http = (
            median(r.speed for r in runs if (r.side, r.at_a_time) == (side, n)) for side in ("client", "HTTP")
        )
        print(f"\n{n} at a time, medians: client {client:.1f}/s, HTTP {http:.1f}/s, ratio {http / client:.2f}")


def main() -> None:
    """Measure and print."""
    parser = ArgumentParser(prog="python -m bench.http", description="The HTTP API beside the Python client.")
    parser.add_argument("--submissions", type=int, default=500, help="of each side and round (default 500)")
    parser.add_argument("--rounds", type=int, default=3, help="runs of each side (default 3)")
    parser.add_argument("--jobs", type=int, default=10_000, help="jobs after which memory is measured (default 10000)")
    parser.add_argument("--upload-mb", type=int, default=512, help="size of the large upload (default 512)")
    parser.add_argument("--clients", type=int, default=200, help="clients that follow jobs (default 200)")
    raw.add_option(parser)
    given = parser.parse_args()
    found: dict[str, Any] = {}
    with private_stack() as stack:
        web = start_web(stack, OCR_MAX_QUEUED_PAGES="1000000")  # a document that is not opened counts as ten
        runs = compare(stack, web, given.submissions, given.rounds)
        show_submissions(runs)
        before, after = found["memory"] = memory_of_jobs(web, given.jobs)
        print(f"\nmemory: {before / MB:.0f} MB, and {after / MB:.0f} MB after {given.jobs:,} more jobs")
        seconds, grown = found["upload"] = large_upload(web, given.upload_mb)
        print(f"\n{given.upload_mb} MB upload: {seconds:.2f} s, {grown / MB:.1f} MB more memory")
    with private_stack() as stack:
        stack.start_documents()
        stack.start_worker(engines="slow=tests.support.engines:Slow", children=2)
        web = start_web(stack)
        late = found["events"] = asyncio.run(follow(stack, web, given.clients))
        p50, p99 = (1000 * percentile(late, share) for share in (0.5, 0.99))
        print(
            f"\n{given.clients} clients, {len(late):,} page events: p50 {p50:.0f} ms, p99 {p99:.0f} ms after the page"
        )
        print(f"threads of the process: {web.process.num_threads()}")
    print(f"\n{machine()}")
    raw.write(given.out, {"submissions": [asdict(r) for r in runs], **found})


if __name__ == "__main__":
    main()
