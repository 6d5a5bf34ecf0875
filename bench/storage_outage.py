"""What an outage of object storage costs: pages that fail, jobs that are lost, pages that are read twice.

`python -m bench.storage_outage [--seconds N] [--silent]`. SeaweedFS is killed while jobs wait, are opened, read and put
together, and comes back after N seconds (600); with `--silent` it is stopped instead, so that it accepts connections
and never answers. Needs `make setup S3=1`.
"""

import os
import signal
import time
from argparse import ArgumentParser
from pathlib import Path

from bench.support import table
from ocrqueue.client import Job
from ocrqueue.errors import OcrError
from tests.support import numbered
from tests.support.harness import eventually, running
from tests.support.object_store import S3Stack

SLOW = "slow=tests.support.engines:Slow"
WORKERS, CHILDREN = 2, 2
LONG, SHORT = 240, 40  # pages of the first job; number of jobs of one page


def start(stack: S3Stack) -> None:
    """Start workers and beat, and let them and this process use the storage without the proxy."""
    stack.env |= {**stack.store.env(), "TEST_ENGINE_READS": str(stack.folder / "reads")}
    os.environ.update(stack.store.env())
    stack.start_documents(children=2)
    for n in range(WORKERS):
        stack.start_worker(f"pages{n}", engines=SLOW, children=CHILDREN, OCR_DATA_DIR=str(stack.folder / f"data{n}"))
    stack.start_beat(5)


def submit(stack: S3Stack) -> list[Job]:
    """Submit jobs until the last ones are still waiting or being opened."""
    client = stack.client()
    jobs = [client.submit(numbered.document(LONG), engine="slow")]
    eventually(lambda: jobs[0].status().ok > 10)
    return jobs + [client.submit(numbered.document(1, salt=n + 1), engine="slow") for n in range(SHORT)]


def outage(stack: S3Stack, seconds: float, silent: bool) -> list[float]:
    """Take the storage away for so long. Returns how many seconds each refused submission took."""
    end = time.monotonic() + seconds
    process = stack.store.process
    assert process is not None
    if silent:
        process.send_signal(signal.SIGSTOP)
    else:
        stack.store.stop()
    refused: list[float] = []
    while (left := end - time.monotonic()) > 0:
        if left < 60 or len(refused) >= 5:
            time.sleep(left)
            continue
        started = time.monotonic()
        try:
            stack.client().submit(numbered.document(1), engine="slow")
        except OcrError as e:
            print(f"a submission: {e.code}: {e.message}")
            refused.append(time.monotonic() - started)
        time.sleep(5)
    if silent:
        process.send_signal(signal.SIGCONT)
    else:
        stack.store.start()
    return refused


def main() -> None:
    """Measure and print."""
    parser = ArgumentParser(prog="python -m bench.storage_outage", description="An outage of object storage.")
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--silent", action="store_true", help="accept connections and never answer")
    args = parser.parse_args()
    with running(S3Stack) as stack:
        start(stack)
        jobs = submit(stack)
        before = [job.status() for job in jobs]
        refused = outage(stack, args.seconds, args.silent)
        back = time.monotonic()
        read = sum(job.status().ok for job in jobs)
        eventually(lambda: sum(job.status().ok for job in jobs) > read, 300)
        first = time.monotonic() - back
        ends = [job.wait(timeout=900) for job in jobs]
        rest = time.monotonic() - back
        pages = [page for job in jobs for page in job.result()["pages"]]
        reads = Path(stack.env["TEST_ENGINE_READS"]).stat().st_size
        logs = "".join(log.read_text(errors="replace") for log in stack.folder.glob("*.log"))
    states = {state: sum(status.state == state for status in before) for state in sorted({s.state for s in before})}
    rows: list[tuple[str, str | int | float]] = [
        ("seconds without the storage", args.seconds),
        ("jobs when it went", ", ".join(f"{count} {state}" for state, count in states.items())),
        ("pages read before; of", f"{sum(s.ok for s in before)}; {len(pages)}"),
        ("jobs done; of", f"{sum(s.state == 'done' for s in ends)}; {len(jobs)}"),
        ("pages that failed", sum(s.failed for s in ends)),
        ("pages with a counted attempt", sum(page["attempts"] > 0 for page in pages)),
        ("pages read twice", reads - len(pages)),
        ("given back to the queue", logs.count("given back, because the storage is away")),
        ("tracebacks in the logs", logs.count("Traceback")),
        ("s until the next page was read", first),
        ("s until the last job ended", rest),
        ("s that a submission took to be refused", max(refused, default=0.0)),
    ]
    table.show(["Number", "Measured"], rows)


if __name__ == "__main__":
    main()
