"""Time from submit to result of a small one-page image, through the Python client, with the model loaded before.

`python -m bench.latency [--times N] [--image FILE] [--out FILE]`. From each time that of the engine's read() is taken
off. A second, shorter pass has Redis itself say when each step took place (MONITOR), and so where the time goes.
"""

import json
import os
import tempfile
import threading
import time
from argparse import ArgumentParser
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from hashlib import sha1
from itertools import pairwise
from pathlib import Path
from statistics import median, quantiles

from PIL import Image, ImageDraw, ImageFont
from redis import Redis

from bench import table
from bench.stack import machine, private_stack, start_workers
from ocrqueue.client import Client
from ocrqueue.ledger import scripts

WARM_UP = 3  # submissions that are not counted
TRACED = 20
STOP = "end of the trace"
SCRIPTS = ("create", "begin", "open", "claim", "finish", "end")  # steps of the ledger that end a part
READING = "page worker: rendered and stored, without read()"
# What ends each part of a job's way, as Redis sees it; the parts follow one another.
PARTS = (
    ("client: source and job.json into the spool", "create"),
    ("client: record made, message published", "LPUSH documents"),
    ("documents worker: message taken", "begin"),
    ("documents worker: document opened", "open"),
    ("documents worker: ticket published", "LPUSH pages."),
    ("page worker: ticket taken, page claimed", "claim"),
    (READING, "finish"),
    ("page worker: assembly published", "LPUSH documents"),
    ("documents worker: message taken", "begin"),
    ("documents worker: assembled, job ended", "end"),
    ("client: woken, result fetched", ""),
)


@dataclass(frozen=True, slots=True)
class Sample:
    """One submission; times in seconds."""

    started: float  # since 1970
    total: float  # from the call of submit() to the result
    reading: float  # inside the engine's read()

    @property
    def rest(self) -> float:
        """What the queue adds."""
        return self.total - self.reading


@dataclass(frozen=True, slots=True)
class Event:
    """A step as Redis saw it."""

    at: float  # since 1970
    what: str  # the name of a ledger script, or the start of a command


def draw(path: Path) -> Path:
    """A small image with a few words."""
    image = Image.new("RGB", (480, 120), "white")
    ImageDraw.Draw(image).text((20, 40), "Time is what is measured here.", "black", ImageFont.load_default(28))
    image.save(path)
    return path


def sample(client: Client, image: Path) -> Sample:
    """Submit the image and fetch what was read."""
    since, started = time.time(), time.perf_counter()
    result = client.submit(image, fresh=True).result(timeout=120)
    total = time.perf_counter() - started
    return Sample(since, total, result["pages"][0]["seconds"])


@contextmanager
def traced(redis: Redis) -> Iterator[list[Event]]:
    """The steps that Redis sees while the block runs."""
    events: list[Event] = []
    known = {sha1(scripts.source(name).encode()).hexdigest(): name for name in SCRIPTS}
    ready = threading.Event()

    def listen() -> None:
        with redis.monitor() as monitor:  # type: ignore[no-untyped-call]
            ready.set()
            for seen in monitor.listen():
                command, _, rest = seen["command"].partition(" ")
                if STOP in rest:
                    return
                if command in ("EVALSHA", "LPUSH"):
                    first = rest.partition(" ")[0]
                    events.append(Event(seen["time"], known.get(first, f"{command} {first}")))

    listener = threading.Thread(target=listen, daemon=True)
    listener.start()
    ready.wait(10)
    try:
        yield events
    finally:
        redis.echo(STOP)
        listener.join(10)


def parts(one: Sample, events: Sequence[Event]) -> list[float]:
    """Seconds of each of `PARTS` of a submission; that of `READING` is without the time inside read()."""
    times = [one.started]
    for _, mark in PARTS[:-1]:
        times.append(next(e.at for e in events if e.at > times[-1] and e.what.startswith(mark)))
    times.append(one.started + one.total)
    seconds = [later - earlier for earlier, later in pairwise(times)]
    seconds[[name for name, _ in PARTS].index(READING)] -= one.reading
    return seconds


def measure(image: Path | None, count: int) -> tuple[list[Sample], list[list[float]]]:
    """The samples, and the parts of some more."""
    with private_stack() as stack, tempfile.TemporaryDirectory() as folder:
        start_workers(stack)
        client = stack.client()
        page = image or draw(Path(folder) / "small.png")
        for _ in range(WARM_UP):
            sample(client, page)
        samples = [sample(client, page) for _ in range(count)]
        with traced(stack.redis) as events:
            more = [sample(client, page) for _ in range(TRACED)]
        return samples, [parts(one, events) for one in more]


def row(name: str, seconds: Sequence[float]) -> list[table.Cell]:
    """Median, 90th percentile and largest, in milliseconds."""
    values = (median(seconds), quantiles(seconds, n=10)[-1], max(seconds))
    return [name, *(f"{1000 * value:.1f}" for value in values)]


def main() -> None:
    """Measure and print."""
    parser = ArgumentParser(prog="python -m bench.latency", description="Time from submit to result of a small image.")
    parser.add_argument("--times", type=int, default=50, help="submissions (default 50)")
    parser.add_argument("--image", type=Path, help="the image (default: one is drawn)")
    parser.add_argument("--out", type=Path, help="write the raw numbers there, as JSON")
    given = parser.parse_args()
    samples, steps = measure(given.image, given.times)
    header = ("ms", "median", "p90", "max")
    rows = [("submit to result", [s.total for s in samples]), ("inside read()", [s.reading for s in samples])]
    table.show(header, [row(*r) for r in (*rows, ("the queue's part", [s.rest for s in samples]))])
    table.show(header, [row(name, each) for (name, _), each in zip(PARTS, zip(*steps, strict=True), strict=True)])
    print(f"\n{given.times} submissions, {TRACED} more in parts; {machine(os.cpu_count())}")
    if given.out:
        given.out.write_text(json.dumps([asdict(s) for s in samples], indent=1) + "\n")


if __name__ == "__main__":
    main()
