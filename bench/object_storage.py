"""What object storage costs: requests and bytes of a job, and how fast it is read beside a spool in a folder.

`python -m bench.object_storage [FOLDER] [--pages N] [--times N] [--seconds S] [--delay MS]`. SeaweedFS runs on this
machine. Requests are counted by a proxy; speed is measured without it, unless `--delay` asks it to hold each request
back, as a storage that is farther away does. Two workers of one child each read, with an engine that takes S seconds a
page (1.5) and almost no processor time; with FOLDER, rapidocr reads its documents. Needs `make setup S3=1`.
"""

import os
import time
from argparse import ArgumentParser
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median

import psutil

from bench.queue_cost import difference, spent
from bench.support import corpus, table
from ocrqueue.client import Client
from tests.support import numbered
from tests.support.harness import Stack, eventually, running
from tests.support.object_store import S3Stack

Documents = Callable[[int], Sequence[Path | bytes]]  # those of a round


def start(stack: Stack, engine: str) -> None:
    """Start a documents worker and two page workers of one child, each like a machine of its own."""
    os.environ.update({name: value for name, value in stack.env.items() if name.startswith("AWS_")})
    stack.start_documents(children=1)
    for name in ("one", "two"):
        stack.start_worker(name, engines=engine, OCR_DATA_DIR=str(stack.folder / name))


def seconds(stack: Stack, client: Client, documents: Sequence[Path | bytes]) -> float:
    """Seconds until these documents are read and their ends are noted."""
    started = time.monotonic()
    jobs = [client.submit(document, text_layer="ignore") for document in documents]
    ends = [job.wait(timeout=400) for job in jobs]
    took = time.monotonic() - started
    assert all(end.state == "done" for end in ends), ends
    eventually(lambda: all(stack.redis.zscore("ocr:untold", job.id) is None for job in jobs))
    return took


def requests(pages: int) -> None:
    """Count requests and bytes of a job of one page and of one with `pages` pages, and print them."""
    sizes, found = (1, pages), []
    with running(S3Stack, OCR_CACHE_MAX_GB="1") as stack:
        start(stack, "quick=tests.support.engines:Quick")
        client = stack.client()
        for size in sizes:
            stack.proxy.taken()
            seconds(stack, client, [numbered.document(size, salt=size)])
            found.append(stack.proxy.taken())
    rows = [
        (n, len(r), sum(up for *_, up, _ in r), sum(down for *_, down in r)) for n, r in zip(sizes, found, strict=True)
    ]
    each = [(b - a) / (pages - 1) for a, b in zip(rows[0][1:], rows[1][1:], strict=True)]
    shown: list[tuple[table.Cell, ...]] = [(f"{size} pages", *counts) for size, *counts in rows]
    table.show(["Job", "Requests", "Bytes up", "Bytes down"], [*shown, ("a page more", *map(round, each))])
    print(f"requests for a page more: {each[0]:.2f}")


def speed(documents: Documents, pages: int, engine: str, args: tuple[int, float, float]) -> None:
    """Read the documents with both kinds of spool in turn, and print pages per second and processor time."""
    times, page_seconds, delay = args
    env = {"OCR_CACHE_MAX_GB": "1", "TEST_PAGE_SECONDS": str(page_seconds)}
    with running(S3Stack, **env) as remote, running(Stack, **env) as local:
        local.env["OCR_SPOOL_URL"] = str(local.folder / "data" / "spool")  # the workers have data folders of their own
        remote.proxy.delay = delay / 1000
        if not delay:
            remote.env |= remote.store.env()
        stacks: dict[str, Stack] = {"S3": remote, "folder": local}
        clients = {side: stack.client() for side, stack in stacks.items()}
        for side, stack in stacks.items():
            start(stack, engine)
            seconds(stack, clients[side], documents(-1)[:2])
        assert remote.store.process is not None
        own = {"S3 server": psutil.Process(remote.store.process.pid)}
        took: dict[str, list[float]] = {name: [] for name in stacks}
        cpu = {}
        for side, stack in stacks.items():
            cpu[side] = {name: psutil.Process(p.pid) for name, p in stack.processes.items()}
        cpu["S3"] |= own
        before = {side: spent(processes) for side, processes in cpu.items()}
        for n in range(times):
            for side, stack in stacks.items():
                took[side].append(seconds(stack, clients[side], documents(n)))
        used = {side: difference(spent(processes), before[side], times * pages) for side, processes in cpu.items()}
    rows: list[tuple[table.Cell, ...]] = [(f"{n + 1}", *(pages / took[side][n] for side in took)) for n in range(times)]
    table.show(["Round", *(f"{side}: pages/s" for side in took)], rows)
    names = sorted(set(used["S3"]) | set(used["folder"]))
    costs: list[tuple[table.Cell, ...]] = [
        (name, *(1000 * used[side].get(name, 0.0) for side in ("S3", "folder"))) for name in names
    ]
    table.show(["Process", "S3: ms CPU a page", "folder: ms CPU a page"], costs)
    ratios = [b / a for a, b in zip(took["S3"], took["folder"], strict=True)]
    more = (median(took["S3"]) - median(took["folder"])) / pages * len(("one", "two"))
    print(f"ratio {median(ratios):.3f} (median of {times} pairs); a page keeps a child {1000 * more:.0f} ms longer")


def main() -> None:
    """Measure and print."""
    parser = ArgumentParser(prog="python -m bench.object_storage", description="What object storage costs.")
    parser.add_argument("folder", type=Path, nargs="?", help="a folder with a manifest.json, which rapidocr reads")
    parser.add_argument("--pages", type=int, default=40)
    parser.add_argument("--times", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=1.5, help="of a page, without a folder")
    parser.add_argument("--delay", type=float, default=0.0, help="milliseconds that each request is held back")
    parser.add_argument("--only-speed", action="store_true", help="do not count requests")
    given = parser.parse_args()
    if not given.only_speed:
        requests(given.pages)
    args = (given.times, given.seconds, given.delay)
    if given.folder:
        entries = corpus.mixed(corpus.load(given.folder), given.pages)
        # White space after the end makes another document, which is not in the page cache.
        speed(
            lambda n: [entry.file.read_bytes() + b"\n" * (n + 1) for entry in entries],
            sum(entry.pages for entry in entries),
            "rapidocr",
            args,
        )
    else:
        sleeping = "sleeping=tests.support.engines:Sleeping"
        speed(lambda n: [numbered.document(given.pages, salt=n + 10)], given.pages, sleeping, args)


if __name__ == "__main__":
    main()
