"""What reading poorly read pages again gains: the error that is left, against the share of pages that are read again.

`python -m bench.reread FIRST SECOND`: files that `python -m bench.quality FOLDER --engine NAME --readings FILE` has
written for two engines, with `--after FIRST` for the second. The pages with the lowest quality are read again first,
and the reading with the higher quality is kept, as workers do. Beside it: pages at random with the same rule, and an
oracle that knows the truth.
"""

import json
import random
from argparse import ArgumentParser
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

from bench.quality import WEIGHTS, kept
from bench.support import table
from ocrqueue.pages import READ_AGAIN

SHARES = (0.0, 0.05, 0.1, 0.2, 0.3, 0.5, 1.0)
ROUNDS = 200  # random orders


@dataclass(frozen=True, slots=True)
class Pair:
    """One page as two engines have read it."""

    first: float  # share of words right
    second: float
    first_quality: float
    second_quality: float

    @property
    def kept(self) -> float:
        """The share of words right of the reading that is kept."""
        return self.second if self.second_quality > self.first_quality else self.first


def pairs_of(files: Sequence[Path], engines: Sequence[str]) -> list[Pair]:
    """The pages that are in both files."""
    weights = json.loads(WEIGHTS.read_text())
    sides = []
    for file, engine in zip(files, engines, strict=True):
        sides.append({s.key: (s.right, s.quality(engine, weights[engine])) for s in kept(file)})
    first, second = sides
    return [
        Pair(first[key][0], second[key][0], first[key][1], second[key][1])
        for key in sorted(first.keys() & second.keys())
    ]


def left(order: Sequence[Pair], count: int, best: bool = False) -> float:
    """The mean share of words that are wrong if the first `count` pages of this order are read again."""
    again = [max(p.first, p.second) if best else p.kept for p in order[:count]]
    return 1 - fmean([*again, *(p.first for p in order[count:])])


def main() -> None:
    """Compare and print."""
    parser = ArgumentParser(prog="python -m bench.reread", description="What reading pages again gains.")
    parser.add_argument("files", type=Path, nargs=2, metavar="FILE", help="readings of the first and the second engine")
    parser.add_argument("--engines", nargs=2, default=("rapidocr", "tesseract"), metavar="NAME")
    given = parser.parse_args()
    pairs = pairs_of(given.files, given.engines)
    lowest = sorted(pairs, key=lambda p: p.first_quality)
    oracle = sorted(pairs, key=lambda p: p.first - p.second)
    rng = random.Random(7)
    rows: list[list[table.Cell]] = []
    for share in SHARES:
        count = round(share * len(pairs))
        chance = fmean(left(rng.sample(pairs, len(pairs)), count) for _ in range(ROUNDS))
        rows.append([f"{share:.0%}", count, left(lowest, count), chance, left(oracle, count, best=True)])
    table.show(("read again", "pages", "words wrong", "at random", "oracle"), rows)
    poor = [p for p in pairs if p.first_quality < READ_AGAIN]
    worse = sum(p.kept < p.first - 0.01 for p in poor)
    better = sum(p.kept > p.first + 0.01 for p in poor)
    print(
        f"\n{len(pairs)} pages; below {READ_AGAIN}: {len(poor)}, of them {better} read better and {worse} worse by "
        f"more than 0.01; words wrong {left(lowest, 0):.3f} before, {left(lowest, len(poor)):.3f} after"
    )


if __name__ == "__main__":
    main()
