"""What giving memory back after every task costs, beside doing so after every tenth, in percent of a page.

`python -m bench.mlx_clearing [--rounds N] [--pages N]`. Pages are read one by one by the engine itself with the tiny
model: a page takes some 30 ms, where one of a real model takes seconds, so the percentages are the worst case.
"""

import gc
import os
import time
from argparse import ArgumentParser
from collections.abc import Callable
from statistics import median

from bench import table
from bench.stack import machine
from ocrqueue.engines.mlx.engine import MlxVlm
from ocrqueue.options import Options
from ocrqueue.process.memory import give_back
from tests.support import tiny


def clear() -> None:
    """The clearing of the cache alone."""
    import mlx.core as mx

    mx.clear_cache()


def collect_and_clear() -> None:
    """Both, without returning freed memory to the system."""
    gc.collect()
    clear()


def run(engine: MlxVlm, pages: int, every: int, what: Callable[[], object]) -> tuple[float, float, int]:
    """Seconds a page in all, of them spent giving back, and bytes in the cache at most before that."""
    import mlx.core as mx

    spent, most, started = 0.0, 0, time.perf_counter()
    for number, page in enumerate(tiny.pages(tiny.texts(pages)), 1):
        engine.read([page], Options())
        most = max(most, mx.get_cache_memory())
        if every and number % every == 0:
            before = time.perf_counter()
            what()
            spent += time.perf_counter() - before
    return (time.perf_counter() - started) / pages, spent / pages, most


def main() -> None:
    """Run the measurement."""
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--pages", type=int, default=60)
    given = parser.parse_args()
    os.environ |= {"OCR_MODEL": str(tiny.FOLDER), "OCR_MLX_PROMPT": tiny.PROMPT}
    engine = MlxVlm()
    engine.load(engine.default_model())
    ways: dict[str, tuple[int, Callable[[], object]]] = {
        "nothing": (0, clear),
        "clear_cache, every 10th task": (10, clear),
        "clear_cache, every task": (1, clear),
        "gc and clear_cache, every task": (1, collect_and_clear),
        "give_back (what a worker does), every 10th": (10, give_back),
        "give_back (what a worker does), every task": (1, give_back),
    }
    run(engine, given.pages, 1, give_back)  # first shapes
    found: dict[str, list[tuple[float, float, int]]] = {name: [] for name in ways}
    for _ in range(given.rounds):
        for name, (every, what) in ways.items():
            found[name].append(run(engine, given.pages, every, what))
    rows: list[list[table.Cell]] = []
    for name, runs in found.items():
        page, spent = median(r[0] for r in runs), median(r[1] for r in runs)
        rows.append([name, 1000 * page, 1000 * spent, 100 * spent / page, max(r[2] for r in runs) / 2**20])
    table.show(["after a task", "ms a page", "ms of it giving back", "percent", "cache before, MB at most"], rows)
    print(f"\n{machine(os.cpu_count())}; medians of {given.rounds} rounds of {given.pages} pages")


if __name__ == "__main__":
    main()
