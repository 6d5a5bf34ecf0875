"""Throughput of batches of 1, 4 and 16 pages, with the tiny model and with a large model of random weights.

`python -m bench.mlx_batches [--megabytes N] [--pages N] [--tokens N]`. Runs on the back end that MLX has here: Metal,
CUDA (`pip install mlx[cuda12]`) or the CPU. The large model cannot read: it writes `--tokens` tokens for every page.
"""

import tempfile
import time
from argparse import ArgumentParser
from pathlib import Path

from bench.support import table
from bench.support.engine import mlx_vlm
from bench.support.stack import machine
from ocrqueue.engines.mlx.answer import Answer, Bounds
from ocrqueue.engines.mlx.generation import generate_batch, generate_one
from ocrqueue.engines.mlx.reading import PageReader
from ocrqueue.process.memory import give_back
from tests.support import tiny

SIZES = (1, 4, 16)


def measure(folder: Path, pages: int, tokens: int) -> list[tuple[float, float, int]]:
    """For each batch size: pages per second, tokens per second, and peak memory in bytes."""
    import mlx.core as mx

    engine = mlx_vlm(folder)
    loaded = engine._loaded
    assert loaded is not None
    bounds = Bounds(tokens, float("inf"), lambda: False)
    reader = PageReader(loaded, engine._recipe, bounds)
    shown = [reader.show(page)[0] for page in tiny.pages(tiny.texts(pages))]
    found = []
    for size in SIZES:
        generate_batch(loaded, shown[:size], bounds)  # compiles the kernels for these shapes
        give_back()
        mx.reset_peak_memory()
        written, started = 0, time.perf_counter()
        for first in range(0, pages, size):
            part = shown[first : first + size]
            rows = generate_batch(loaded, part, bounds) if size > 1 else [generate_one(loaded, part[0], bounds)]
            written += sum(len(row.tokens) for row in rows if isinstance(row, Answer))
        seconds = time.perf_counter() - started
        found.append((pages / seconds, written / seconds, mx.get_peak_memory()))
    engine.free_resources()
    return found


def main() -> None:
    """Run the measurement."""
    import mlx.core as mx

    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--megabytes", type=int, default=1000, help="size of the large model (float32)")
    parser.add_argument("--pages", type=int, default=64)
    parser.add_argument("--tokens", type=int, default=64)
    given = parser.parse_args()
    rows: list[list[table.Cell]] = []
    with tempfile.TemporaryDirectory() as folder:
        models = {"tiny": tiny.FOLDER, f"random, {given.megabytes} MB": tiny.large_model(Path(folder), given.megabytes)}
        for name, model in models.items():
            for size, (speed, tokens, peak) in zip(SIZES, measure(model, given.pages, given.tokens), strict=True):
                rows.append([name, size, speed, tokens, peak / 2**20])
    table.show(["model", "batch", "pages/s", "tokens/s", "peak, MB"], rows)
    print(f"\n{machine()}, MLX on {mx.default_device()}")


if __name__ == "__main__":
    main()
