"""`kill -9` of real processes: of a process that holds a model, and of a prune or restore before every change."""

import json
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from ocrqueue.errors import ModelUnavailable
from tests.support.models import DAY, NOW, Directory, bytes_of

PROJECT = Path(__file__).parents[2]
LONG_AGO = NOW - 200 * DAY
HOLD = """
import sys, time
from pathlib import Path
from ocrqueue.models import ModelSettings, ModelStore
held = ModelStore(ModelSettings(Path(sys.argv[1])), lambda: float(sys.argv[3])).hold(sys.argv[2])
print(held.path, flush=True)
time.sleep(60)
"""


@pytest.fixture
def directory(tmp_path: Path) -> Directory:
    return Directory(tmp_path / "models")


def test_a_model_can_be_pruned_after_the_process_that_holds_it_was_killed(directory: Directory) -> None:
    directory.cached("org/model", pulled=LONG_AGO)
    child = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(directory.root), "org/model", str(LONG_AGO)],
        cwd=PROJECT, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert child.stdout
        assert child.stdout.readline().strip().startswith(str(directory.root))
        store = directory.store()
        assert [(m.status, m.reason) for m in store.list_local()] == [("IN_USE", "a process has it loaded")]
        assert not store.prune().models
        child.send_signal(signal.SIGKILL)
        child.wait()
        assert [m.name for m in store.prune().moved] == ["org/model"]
    finally:
        child.kill()
        child.wait()
        assert child.stdout
        child.stdout.close()


def test_a_model_that_is_loaded_during_a_prune_is_complete_or_missing(directory: Directory) -> None:
    snapshot = directory.cached("org/model", pulled=LONG_AGO)
    whole, store = bytes_of(snapshot), directory.store(LONG_AGO)
    pruning = directory.store()
    outcomes: list[str] = []
    for _ in range(60):  # so that load and prune meet at many points
        go = threading.Barrier(2)

        def load(go: threading.Barrier = go) -> None:
            go.wait()
            try:
                with store.hold("org/model") as held:
                    outcomes.append("held" if bytes_of(held.path) == whole else "half")
            except ModelUnavailable as e:
                outcomes.append(e.code)

        loader = threading.Thread(target=load)
        loader.start()
        go.wait()
        pruning.prune()
        loader.join()
        if pruning.trashed():
            pruning.restore("org/model")
            directory.stamp("org/model", "a" * 40, pulled=LONG_AGO)
            directory.paths.stamp_file("org/model@" + "a" * 40).write_text(json.dumps({"pulled": LONG_AGO}))
        assert bytes_of(snapshot) == whole
    assert set(outcomes) <= {"held", "model_missing"}
    assert len(outcomes) == 60


@pytest.mark.thorough
@pytest.mark.timeout(600)
def test_a_prune_and_a_restore_are_killed_before_every_single_change() -> None:
    run = subprocess.run(
        [sys.executable, "-m", "tests.support.crashing"], cwd=PROJECT, capture_output=True, text=True, timeout=580
    )
    assert run.returncode == 0, run.stderr
    found = json.loads(run.stdout)
    for what in ("prune", "restore"):
        assert found[what]["killed"] > 30, "too few kills"
        assert {k: v for k, v in found[what].items() if k != "killed"} == {"half": 0, "lost": 0, "half_before": 0}
