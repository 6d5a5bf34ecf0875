"""Kills a forked process during a prune or a restore with SIGKILL, and checks what is left.

`python -m tests.support.crashing` kills a process before each single change on disk, one process per change.
"""

import json
import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from ocrqueue.models import ModelStore
from tests.support.models import DAY, NOW, A, B, C, Directory, bytes_of, files

CHANGES = ("rename", "replace", "link", "unlink", "mkdir", "rmdir", "symlink")
RECENT, LONG_AGO = NOW - DAY, NOW - 200 * DAY
Contents = dict[str, dict[str, bytes]]


def build(root: Path) -> Directory:
    """A directory with folders, repositories, revisions that share blobs, and repositories that share blobs."""
    directory = Directory(root)
    directory.folder("old_folder")
    directory.folder("kept", used=RECENT)
    directory.cached("org/whole", content=files("whole"), pulled=LONG_AGO)
    for revision in (A, B, C):
        directory.cached("org/many", revision, {**files("many"), "own.txt": revision.encode()}, pulled=RECENT)
    directory.cached("org/shares", content=files("shared"), shared=True, pulled=LONG_AGO)
    directory.cached("org/other", content=files("shared"), shared=True, pulled=RECENT)
    return directory


def contents(store: ModelStore) -> Contents:
    """The content of every model that is visible."""
    return {f"{m.name}@{m.revision}": bytes_of(Path(m.path)) for m in store.list_local()}


def killed(work: Callable[[], object], at: Callable[[], None]) -> bool:
    """Run `at` and `work` in a forked process. Returns whether it was killed."""
    sys.stdout.flush()
    pid = os.fork()
    if not pid:
        at()
        work()
        os._exit(0)
    _, status = os.waitpid(pid, 0)
    return os.WIFSIGNALED(status)


def before_change(number: int) -> Callable[[], None]:
    """Returns a function that makes the process kill itself before change `number`, counted from 0."""
    left = [number]

    def trap(function: Callable[..., Any]) -> Callable[..., Any]:
        def instead(*args: Any, **kwargs: Any) -> Any:
            left[0] -= 1
            if left[0] < 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return function(*args, **kwargs)

        return instead

    def set_trap() -> None:
        for name in CHANGES:
            setattr(os, name, trap(getattr(os, name)))

    return set_trap


def restore_all(store: ModelStore) -> None:
    """Restore all entries of the trash, the newest first."""
    for entry in reversed(store.trashed()):
        store.restore(entry.id)


def look(store: ModelStore, whole: Contents) -> dict[str, int]:
    """Count the lost and the incomplete models, after a kill and another prune."""
    seen = {key: found for key, found in contents(store).items() if not key.endswith("@unknown")}
    half = sum(found != whole[key] for key, found in seen.items())
    trashed = {f"{entry.name}@{entry.revision}" for entry in store.trashed() if entry.state == "trashed"}
    half += sum(entry.state != "trashed" for entry in store.trashed())
    lost = sum(key not in seen and key not in trashed for key in whole)
    restore_all(store)
    after = contents(store)
    return {"half": half, "lost": lost + sum(after.get(key) != found for key, found in whole.items())}


def every_point(restoring: bool) -> dict[str, int]:
    """Kill a prune or a restore before each of its changes. Returns the number of kills and of losses."""
    total = {"killed": 0, "half": 0, "lost": 0, "half_before": 0}
    number = 0
    while True:
        with tempfile.TemporaryDirectory(prefix="ocr-") as folder:
            store = build(Path(folder, "models")).store()
            whole = contents(store)
            if restoring:
                store.prune()
            was_killed = killed(partial(restore_all, store) if restoring else store.prune, before_change(number))
            seen = contents(store)  # what a worker child would find at this moment
            total["half_before"] += sum(found != whole[k] for k, found in seen.items() if k in whole)
            store.prune()
            for key, count in look(store, whole).items():
                total[key] += count
        if not was_killed:
            return total
        total["killed"] += 1
        number += 1


def at_random(runs: int, delay: Callable[[float], float]) -> dict[str, float]:
    """Kill a prune after a random time, `runs` times, each followed by a complete prune.

    `delay(typical)` chooses the seconds until the kill, from the seconds of a complete prune.
    """
    total: dict[str, float] = {"runs": runs, "killed": 0, "half": 0, "lost": 0, "slowest": 0.0}
    typical = _whole_run()
    for _ in range(runs):
        with tempfile.TemporaryDirectory(prefix="ocr-") as folder:
            store = build(Path(folder, "models")).store()
            whole = contents(store)
            started = time.monotonic()
            seconds = delay(typical)
            was_killed = killed(store.prune, lambda: _alarm(seconds))  # noqa: B023 -- called at once
            if not was_killed:
                typical = 0.7 * typical + 0.3 * (time.monotonic() - started)
            total["killed"] += was_killed
            total["slowest"] = max(total["slowest"], time.monotonic() - started)
            store.prune()
            for key, count in look(store, whole).items():
                total[key] += count
    return total


def without_sync() -> None:
    """Turn off fsync, which makes this faster. A killed process loses no written data; only a power failure does."""
    setattr(os, "fsync", lambda _: None)  # noqa: B010 -- mypy rejects an assignment


def _whole_run() -> float:
    """The seconds of a complete prune in a forked process."""
    with tempfile.TemporaryDirectory(prefix="ocr-") as folder:
        store = build(Path(folder, "models")).store()
        store.prune(dry_run=True)  # imports all modules
        started = time.monotonic()
        killed(store.prune, lambda: None)
        return time.monotonic() - started


def _alarm(seconds: float) -> None:
    """End this process after so many seconds. Like SIGKILL, SIGALRM with its default action runs no Python code."""
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_REAL, max(seconds, 1e-6))


def main() -> None:
    """Print the counts as JSON."""
    without_sync()
    with tempfile.TemporaryDirectory() as folder:
        build(Path(folder, "models")).store().prune()  # imports all modules
    print(json.dumps({"prune": every_point(False), "restore": every_point(True)}))


if __name__ == "__main__":
    main()
