"""The time from submit to result for a small one-page image, with the Python client and a loaded model.

`python -m bench.latency [--times N] [--image FILE] [--out FILE]`. The time of the engine's read() is shown separately.
A second, shorter pass uses MONITOR of Redis to measure each step.
"""

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

from bench.support import raw, table
from bench.support.stack import machine, private_stack, start_workers
from ocrqueue.client import Client
from ocrqueue.ledger import scripts

WARM_UP = 3  # submissions that are not counted
TRACED = 20
STOP = "end of the trace"
SCRIPTS = ("create", "begin", "open", "claim", "finish", "end")  # scripts of the ledger that end a part
READING = "page worker: rendered and stored, without read()"
# The parts of a job in order, each with the Redis command or script that ends it.
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
    ("client: notified, result fetched", ""),
)


@dataclass(frozen=True, slots=True)
class Sample:
    """One submission; times in seconds."""

    started: float  # since 1970
    total: float  # from the call of submit() to the result
    reading: float  # of it in the engine's read()

    @property
    def rest(self) -> float:
        """The overhead of the queue."""
        return self.total - self.reading


@dataclass(frozen=True, slots=True)
class Event:
    """A command that Redis received."""

    at: float  # since 1970
    what: str  # the name of a ledger script, or the start of a command


def draw(path: Path) -> Path:
    """Write a small image with a few words; returns its path."""
    image = Image.new("RGB", (480, 120), "white")
    ImageDraw.Draw(image).text((20, 40), "Time is what is measured here.", "black", ImageFont.load_default(28))
    image.save(path)
    return path


def sample(client: Client, image: Path) -> Sample:
    """Submit the image and wait for the result."""
    since, started = time.time(), time.perf_counter()
    result = client.submit(image, fresh=True).result(timeout=120)
    total = time.perf_counter() - started
    return Sample(since, total, result["pages"][0]["seconds"])


@contextmanager
def traced(redis: Redis) -> Iterator[list[Event]]:
    """The commands that Redis receives during the block."""
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
    """The seconds of each of `PARTS` of a submission; `READING` does not include read()."""
    times = [one.started]
    for _, mark in PARTS[:-1]:
        times.append(next(e.at for e in events if e.at > times[-1] and e.what.startswith(mark)))
    times.append(one.started + one.total)
    seconds = [later - earlier for earlier, later in pairwise(times)]
    seconds[[name for name, _ in PARTS].index(READING)] -= one.reading
    return seconds


def measure(image: Path | None, count: int) -> tuple[list[Sample], list[list[float]]]:
    """`count` samples, and the parts of `TRACED` more."""
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
    """A table row: median, 90th percentile and maximum, in milliseconds."""
    values = (median(seconds), quantiles(seconds, n=10)[-1], max(seconds))
    return [name, *(f"{1000 * value:.1f}" for value in values)]


def main() -> None:
    """Measure and print."""
    parser = ArgumentParser(prog="python -m bench.latency", description="Time from submit to result of a small image.")
    parser.add_argument("--times", type=int, default=50, help="submissions (default 50)")
    parser.add_argument("--image", type=Path, help="the image (default: a drawn one)")
    raw.add_option(parser)
    given = parser.parse_args()
    samples, steps = measure(given.image, given.times)
    header = ("ms", "median", "p90", "max")
    rows = [("submit to result", [s.total for s in samples]), ("inside read()", [s.reading for s in samples])]
    table.show(header, [row(*r) for r in (*rows, ("the queue's part", [s.rest for s in samples]))])
    table.show(header, [row(name, each) for (name, _), each in zip(PARTS, zip(*steps, strict=True), strict=True)])
    print(f"\n{given.times} submissions, {TRACED} more in parts; {machine()}")
    raw.write(given.out, [asdict(s) for s in samples])


if __name__ == "__main__":
    main()
