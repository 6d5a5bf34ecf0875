"""The model directory: the time of an audit and a prune, and the models that remain when prunes are killed.

`python -m bench.models [--models N] [--files N] [--pruned N] [--kills N] [--out FILE]`. The models are sparse files
with the sizes of real models, which take no space on disk.
"""

import random
import resource
import tempfile
import time
from argparse import ArgumentParser
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.support import raw, table
from bench.support.stack import machine
from ocrqueue.models import ModelSettings, ModelStore
from tests.support.crashing import at_random
from tests.support.models import DAY, Directory, sparse_safetensors

SIZE = 10_000_000  # bytes of each weights file


def build(root: Path, models: int, files: int, old: int) -> ModelStore:
    """Create `models` cached models with `files` files together, of which the first `old` models are unused."""
    directory, now, each = Directory(root), time.time(), files // models
    for n in range(models):
        name = f"org/model-{n:04}"
        content = {"config.json": b"{}", **{f"extra-{i}.txt": b"%d" % i for i in range(each - 2)}}
        snapshot = directory.cached(name, content=content, pulled=now - (200 if n < old else 1) * DAY)
        blob = snapshot.parents[1] / "blobs" / f"{n:064x}"
        sparse_safetensors(blob, SIZE)
        (snapshot / "model.safetensors").symlink_to(f"../../blobs/{blob.name}")
    return ModelStore(ModelSettings(root))


def measure(models: int, files: int, old: int) -> dict[str, float]:
    """The times of audit, dry run, prune and restore of one model, and some counts, by name."""
    found: dict[str, float] = {}
    with tempfile.TemporaryDirectory(prefix="ocr-") as folder:
        store = build(Path(folder, "models"), models, files, old)
        with _timed(found, "audit"):
            found["size"] = store.audit().size
        with _timed(found, "audit again"):
            store.audit()
        with _timed(found, "dry run"):
            store.prune(dry_run=True)
        before = _written()
        with _timed(found, "prune"):
            done = store.prune()
        found["written"] = _written() - before
        found["pruned"], found["freed"] = len(done.moved), done.freed
        with _timed(found, "restore"):
            store.restore(store.trashed()[0].id)
        return found


@contextmanager
def _timed(found: dict[str, float], name: str) -> Iterator[None]:
    """Store the seconds and CPU seconds of the block under `name`. CPU time counts on a busy machine."""
    started, cpu = time.monotonic(), time.process_time()
    yield
    found[name], found[f"{name}, CPU"] = time.monotonic() - started, time.process_time() - cpu


def _written() -> int:
    """The bytes that this process has written to disk. These are journals; a copied model would show here."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_oublock * 512


def show(models: int, files: int, found: dict[str, float], kills: dict[str, float]) -> None:
    """Print the tables."""
    freed = f"{found['freed'] / 1e9:.1f} GB moved, {found['written'] / 1e6:.1f} MB written (journals)"
    labels = {
        "audit": f"audit, {models:,} models, {files:,} files, {found['size'] / 1e9:.0f} GB",
        "audit again": "the same audit again",
        "dry run": f"dry run of a prune of {found['pruned']:.0f}",
        "prune": f"prune of {found['pruned']:.0f} models: {freed}",
        "restore": "restore of one",
    }
    table.show(("what", "seconds", "CPU seconds"), [[s, found[n], found[f"{n}, CPU"]] for n, s in labels.items()])
    header = ("prunes", "killed before their end", "models lost", "half-moved")
    table.show(header, [[int(kills[k]) for k in ("runs", "killed", "lost", "half")]])


def main() -> None:
    """Measure and print."""
    parser = ArgumentParser(prog="python -m bench.models", description="Audits and prunes of a model directory.")
    parser.add_argument("--models", type=int, default=1000, help="in the directory (default 1000)")
    parser.add_argument("--files", type=int, default=20_000, help="of all models together (default 20,000)")
    parser.add_argument("--pruned", type=int, default=100, help="models that a prune moves (default 100)")
    parser.add_argument("--kills", type=int, default=200, help="prunes that are killed (default 200)")
    raw.add_option(parser)
    given = parser.parse_args()
    found = measure(given.models, given.files, given.pruned)
    chance = random.Random(7)
    kills = at_random(given.kills, lambda typical: chance.uniform(0, typical))
    show(given.models, given.files, found, kills)
    print(machine())
    raw.write(given.out, {"directory": found, "kills": kills})


if __name__ == "__main__":
    main()
