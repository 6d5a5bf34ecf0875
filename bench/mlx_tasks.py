"""Many tasks in one queue with the tiny vision-language model: loads, cache, texts, and memory over time.

`python -m bench.mlx_tasks [--tasks N] [--single N] [--out FILE]`. First `--tasks` tasks (2,000) of one page each with
`OCR_MAX_TASKS_PER_CHILD=200`; then `--single` tasks (1,000) in one child that is never replaced. The slope of its
resident memory per 100 tasks is a least squares fit without the first tenth, with its standard error.
"""

import re
import time
from argparse import ArgumentParser
from dataclasses import asdict, dataclass

from bench.support import raw, table
from bench.support.fit import slope
from bench.support.stack import machine, private_stack
from tests.support import tiny
from tests.support.harness import Stack

_NOTE = re.compile(r"memory rss=(\d+) active=(\d+) cache=(\d+) peak=\d+ tasks=(\d+) loads=(\d+)")
_LOADED = re.compile(r"loaded engine=mlx-vlm .*pid=(\d+) loads=(\d+)")
PAGES = 500  # of a document


@dataclass(frozen=True, slots=True)
class Run:
    """The result of a number of tasks."""

    tasks: int  # tasks in the log
    seconds: float  # for all tasks
    children: int  # children that loaded the model
    loads: int  # number of times the model was loaded
    exact: int  # pages read correctly
    pages: int  # pages in all
    caches: list[int]  # MLX's cache after each task, bytes
    actives: list[int]  # MLX's arrays after each task, bytes
    rss: list[int]  # resident memory after each task, bytes


def measure(stack: Stack, tasks: int, per_child: int) -> Run:
    """Read so many pages, one per task, with a worker that has one child."""
    stack.env |= {"OCR_MODEL": str(tiny.FOLDER), "OCR_MLX_PROMPT": tiny.PROMPT}
    stack.env |= {"OCR_MLX_BATCH": "1", "OCR_IDLE_SECONDS": "0", "OCR_MAX_TASKS_PER_CHILD": str(per_child)}
    stack.start_worker(engines="mlx-vlm")
    wanted = tiny.texts(tasks)
    client, exact, started = stack.client(), 0, time.perf_counter()
    for first in range(0, tasks, PAGES):
        part = wanted[first : first + PAGES]
        job = client.submit(tiny.document(tiny.pages(part)), engine="mlx-vlm", fresh=True)
        job.wait(timeout=3600)
        exact += sum(page["text"] == text for page, text in zip(job.pages(), part, strict=True))
    seconds = time.perf_counter() - started
    stack.kill("worker", 15)
    log = stack.text("worker")
    stack.log("worker").unlink()
    notes = [[int(number) for number in note] for note in _NOTE.findall(log)]
    loads = _LOADED.findall(log)
    return Run(
        tasks=len(notes), seconds=seconds, children=len({pid for pid, _ in loads}), loads=len(loads), exact=exact,
        pages=tasks, caches=[n[2] for n in notes], actives=[n[1] for n in notes], rss=[n[0] for n in notes],
    )  # fmt: skip


def show(name: str, run: Run) -> list[table.Cell]:
    """The table row of a run."""
    settled = run.rss[len(run.rss) // 10 :]
    rise, error = slope(settled)
    return [
        name, run.tasks, run.children, run.loads, max(run.caches), (max(run.actives) - min(run.actives)),
        f"{run.exact}/{run.pages}", f"{run.pages / run.seconds:.1f}",
        f"{100 * rise / 2**10:+.1f} ± {100 * error / 2**10:.1f}" if run.children == 1 else "-",
    ]  # fmt: skip


def main() -> None:
    """Run the measurement."""
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", type=int, default=2000)
    parser.add_argument("--single", type=int, default=1000)
    raw.add_option(parser)
    given = parser.parse_args()
    with private_stack() as stack:
        stack.start_documents()
        runs = {
            "replaced after 200": measure(stack, given.tasks, 200),
            "never replaced": measure(stack, given.single, 1_000_000),
        }
    header = ["children", "tasks", "children used", "loads", "cache after a task, most", "active, largest difference",
              "exact", "pages/s", "RSS, KB per 100 tasks"]  # fmt: skip
    table.show(header, [show(name, run) for name, run in runs.items()])
    print(f"\n{machine()}; bytes if no other unit is given")
    raw.write(given.out, {name: asdict(run) for name, run in runs.items()})


if __name__ == "__main__":
    main()
