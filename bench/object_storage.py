"""What object storage costs: requests and bytes of a job, and how fast it is read beside a spool in a folder.

`python -m bench.object_storage [--pages N] [--times N]`. SeaweedFS runs on this machine behind a proxy that counts. The
pages are numbered ones and the engine takes 0.05 s, so storage and queue are most of the time. Needs `make setup S3=1`.
"""

import os
import time
from argparse import ArgumentParser
from statistics import median

from bench.support import table
from tests.support import numbered
from tests.support.harness import Stack, eventually, running
from tests.support.object_store import S3Stack

QUICK = "quick=tests.support.engines:Quick"


def start(stack: Stack) -> None:
    """Start a documents worker and two page workers of one child, each like a machine of its own."""
    os.environ.update({name: value for name, value in stack.env.items() if name.startswith("AWS_")})
    stack.start_documents(children=1)
    for name in ("one", "two"):
        stack.start_worker(name, engines=QUICK, OCR_DATA_DIR=str(stack.folder / name))


def seconds(stack: Stack, pages: int, salt: int) -> float:
    """Seconds until a document that nobody has read is read and its end is noted."""
    started = time.monotonic()
    job = stack.client().submit(numbered.document(pages, salt=salt), engine="quick")
    job.wait(timeout=300)
    took = time.monotonic() - started
    eventually(lambda: stack.redis.zscore("ocr:untold", job.id) is None)
    return took


def main() -> None:
    """Measure and print."""
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--pages", type=int, default=100)
    parser.add_argument("--times", type=int, default=3)
    args = parser.parse_args()
    sizes = (1, args.pages)
    with running(S3Stack, OCR_CACHE_MAX_GB="1") as remote, running(Stack, OCR_CACHE_MAX_GB="1") as local:
        start(remote)
        start(local)
        found = []
        for pages in sizes:
            remote.proxy.taken()
            seconds(remote, pages, 1000 + pages)
            found.append(remote.proxy.taken())
        rows = [
            (n, len(r), sum(up for *_, up, _ in r), sum(down for *_, down in r))
            for n, r in zip(sizes, found, strict=True)
        ]
        each = [(b - a) / (args.pages - 1) for a, b in zip(rows[0][1:], rows[1][1:], strict=True)]
        times = [(seconds(remote, args.pages, n), seconds(local, args.pages, n)) for n in range(args.times)]
    shown: list[tuple[str | int, ...]] = [(f"{pages} pages", *counts) for pages, *counts in rows]
    table.show(["Job", "Requests", "Bytes up", "Bytes down"], [*shown, ("a page more", *map(round, each))])
    print(f"requests for a page more: {each[0]:.2f}")
    rates = [[args.pages / one for one in pair] for pair in times]
    print(f"pages/s: S3 {median(r[0] for r in rates):.1f}, folder {median(r[1] for r in rates):.1f}", end="; ")
    print(f"ratio {median(r[0] / r[1] for r in rates):.2f} (median of {args.times} pairs)")


if __name__ == "__main__":
    main()
