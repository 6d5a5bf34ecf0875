"""Throughput of a model that stays loaded, and of a process per request that loads it each time; the tiny model.

`python -m bench.mlx_loading [--rounds N] [--pages N]`. Each round reads `--pages` pages (10) one by one in a process
that keeps its model, then in as many processes, each of which imports MLX, loads the model, reads one page and ends.
"""

import os
import subprocess
import sys
import time
from argparse import ArgumentParser
from statistics import mean, median

from bench.support import table
from bench.support.stack import machine
from tests.support import tiny

_KEEP = """
import sys
from ocrqueue.engines.mlx.engine import MlxVlm
from ocrqueue.process.memory import give_back
from ocrqueue.options import Options
from tests.support import tiny
engine = MlxVlm()
engine.load(engine.default_model())
for line in sys.stdin:
    page, = tiny.pages([line.strip()])
    print(engine.read([page], Options())[0].plain, flush=True)
    give_back()
"""
ENVIRONMENT = {"OCR_MODEL": str(tiny.FOLDER), "OCR_MLX_PROMPT": tiny.PROMPT}


def start() -> "subprocess.Popen[str]":
    """Start a process that draws each line of its standard input as a page, reads the page, and prints the text."""
    return subprocess.Popen(
        [sys.executable, "-c", _KEEP],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={**os.environ, **ENVIRONMENT},
    )  # fmt: skip


def ask(process: "subprocess.Popen[str]", text: str) -> bool:
    """Whether the process reads this text correctly."""
    assert process.stdin
    assert process.stdout
    process.stdin.write(text + "\n")
    process.stdin.flush()
    return process.stdout.readline().strip() == text


def per_request(texts: list[str]) -> float:
    """Pages per second with one process per page."""
    started = time.perf_counter()
    for text in texts:
        with start() as process:
            assert ask(process, text)
            assert process.stdin
            process.stdin.close()
    return len(texts) / (time.perf_counter() - started)


def kept(process: "subprocess.Popen[str]", texts: list[str]) -> float:
    """Pages per second with a process that keeps its model."""
    started = time.perf_counter()
    assert all(ask(process, text) for text in texts)
    return len(texts) / (time.perf_counter() - started)


def main() -> None:
    """Run the measurement."""
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--pages", type=int, default=10)
    given = parser.parse_args()
    texts = [text.split("\n")[0] for text in tiny.texts(given.pages)]
    with start() as process:
        kept(process, texts)  # imports, and compiles the kernels for these shapes
        rounds = [(kept(process, texts), per_request(texts)) for _ in range(given.rounds)]
        assert process.stdin
        process.stdin.close()
    ways = {"the model stays loaded": [r[0] for r in rounds], "a process per request": [r[1] for r in rounds]}
    rows: list[list[table.Cell]] = [
        [name, median(speeds), mean(speeds), min(speeds), max(speeds)] for name, speeds in ways.items()
    ]
    table.show(["", "pages/s, median", "mean", "least", "most"], rows)
    print(f"\n{machine()}; {given.rounds} rounds of {given.pages} pages each, in turn")


if __name__ == "__main__":
    main()
