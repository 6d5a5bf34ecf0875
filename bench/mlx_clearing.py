"""The time to free memory after every task or after every tenth, in percent of the time of a page.

`python -m bench.mlx_clearing [--rounds N] [--pages N]`. The engine reads pages one by one with the tiny model. A
page takes about 30 ms, but seconds with a real model, so these percentages are the worst case.
"""

import gc
import time
from argparse import ArgumentParser
from collections.abc import Callable
from statistics import median
from typing import TYPE_CHECKING

from bench.support import table
from bench.support.engine import mlx_vlm
from bench.support.stack import machine
from ocrqueue.options import Options
from ocrqueue.process.memory import give_back
from tests.support import tiny

if TYPE_CHECKING:
    from ocrqueue.engines.mlx.engine import MlxVlm


def clear() -> None:
    """Clear only the cache of MLX."""
    import mlx.core as mx

    mx.clear_cache()


def collect_and_clear() -> None:
    """Collect garbage and clear the cache, without returning freed memory to the system."""
    gc.collect()
    clear()


def run(engine: "MlxVlm", pages: int, every: int, free: Callable[[], object]) -> tuple[float, float, int]:
    """Read pages and call `free` after every n-th; 0: never.

    Returns seconds per page, seconds per page spent in `free`, and the largest cache before `free`, in bytes.
    """
    import mlx.core as mx

    spent, most, started = 0.0, 0, time.perf_counter()
    for number, page in enumerate(tiny.pages(tiny.texts(pages)), 1):
        engine.read([page], Options())
        most = max(most, mx.get_cache_memory())
        if every and number % every == 0:
            before = time.perf_counter()
            free()
            spent += time.perf_counter() - before
    return (time.perf_counter() - started) / pages, spent / pages, most


def main() -> None:
    """Run the measurement."""
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--pages", type=int, default=60)
    given = parser.parse_args()
    engine = mlx_vlm()
    ways: dict[str, tuple[int, Callable[[], object]]] = {
        "nothing": (0, clear),
        "clear_cache, every 10th task": (10, clear),
        "clear_cache, every task": (1, clear),
        "gc and clear_cache, every task": (1, collect_and_clear),
        "give_back (what a worker does), every 10th": (10, give_back),
        "give_back (what a worker does), every task": (1, give_back),
    }
    run(engine, given.pages, 1, give_back)  # compiles the kernels for these shapes
    found: dict[str, list[tuple[float, float, int]]] = {name: [] for name in ways}
    for _ in range(given.rounds):
        for name, (every, free) in ways.items():
            found[name].append(run(engine, given.pages, every, free))
    rows: list[list[table.Cell]] = []
    for name, runs in found.items():
        page, spent = median(r[0] for r in runs), median(r[1] for r in runs)
        rows.append([name, 1000 * page, 1000 * spent, 100 * spent / page, max(r[2] for r in runs) / 2**20])
    table.show(["after a task", "ms a page", "ms of it giving back", "percent", "cache before, MB at most"], rows)
    print(f"\n{machine()}; medians of {given.rounds} rounds of {given.pages} pages")


if __name__ == "__main__":
    main()
