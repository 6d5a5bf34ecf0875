"""How an audit reports models that are damaged or incomplete, in real directories."""

import json
import os
import tempfile
from pathlib import Path

import pytest

from ocrqueue.models.pruning.audit import Status
from ocrqueue.models.tables import audit_table
from tests.support.models import DAY, LONG_AGO, NOW, RECENT, A, Directory, age, files, one, safetensors


def broken(directory: Directory, **settings: object) -> str:
    """The first problem of the only model, whose status is BROKEN and which is prunable."""
    model = one(directory, **settings)
    assert (model.status, model.prunable) == (Status.BROKEN, True)
    return model.problems[0]


WHOLE = safetensors(b"." * 1000)


@pytest.mark.parametrize(
    ("weights", "problem"),
    [
        (WHOLE[:-1], f"model.safetensors: it is cut off: it has {len(WHOLE) - 1:,} of {len(WHOLE):,} bytes"),
        (WHOLE[:30], "model.safetensors: it is cut off inside its header (30 bytes)"),
        (WHOLE + b"x", "model.safetensors: it is 1 bytes too long"),
        (b"", "model.safetensors: it has no safetensors header"),
        (b"\xff" * 100, "model.safetensors: it has no safetensors header"),
        (WHOLE[:8] + b"{" + WHOLE[9:].replace(b'"w"', b'"w '), "model.safetensors: its safetensors header is damaged"),
    ],
)
def test_a_damaged_safetensors_file(directory: Directory, weights: bytes, problem: str) -> None:
    directory.folder("model", {"config.json": b"{}", "model.safetensors": weights}, used=RECENT)
    assert broken(directory) == problem


@pytest.mark.parametrize(
    "offsets",
    [
        "[0, 1e999]",
        "[0, Infinity]",
        "[0, NaN]",
        "[0, -5]",
        "[9, 8]",
        "[0, true]",
        "[0, 8.0]",
        '"12"',
        "[0, 9" + "0" * 40 + "]",
    ],
)
def test_numbers_that_are_no_offsets_damage_a_safetensors_file_and_no_other_model(
    directory: Directory, offsets: str
) -> None:
    header = f'{{"w": {{"data_offsets": {offsets}}}}}'.encode()
    weights = len(header).to_bytes(8, "little") + header + b"." * 8
    directory.folder("bad", {"config.json": b"{}", "model.safetensors": weights}, used=RECENT)
    directory.folder("good", used=RECENT)
    models = directory.store().list_local()
    assert {m.name: m.problems for m in models}["good"] == ()
    assert {m.name: m.problems for m in models}["bad"] == ("model.safetensors: its safetensors header is damaged",)


def test_files_of_the_directory_that_hold_nonsense_end_no_audit(directory: Directory) -> None:
    """Numbers that are none, JSON nested too deeply: in stamp, hashes, the hub's list, a journal of the trash."""
    snapshot = directory.cached("org/one", content=files("one"), pulled=RECENT)
    directory.folder("two", used=RECENT)
    store = directory.store()
    trees = snapshot.parents[1] / "trees"
    trees.mkdir()
    entry = directory.paths.trash / "20200101T000000-0000-00000000"
    entry.mkdir(parents=True)
    texts = dict.fromkeys(("name", "revision", "key", "status", "reason"), "x")
    gate = {"action": "move", "source": "a", "target": "b"}
    steps = {"state": "trashed", "before": [], "after": [], "gate": gate}
    journal = {**texts, **steps, "when": 1e300, "size": "1", "stamp": {}}
    listed = {"format_version": 1, "files": {name: {"size": "many"} for name in files("one")}}
    nonsense = {
        directory.paths.stamp_file("two@folder"): {"used": 1e300, "pulled": True, "restored": -1},
        directory.paths.hashes: {"files": {"two/model.safetensors": [1, 2, 3, True, "now"], "x": 5}},
        trees / f"{A}.json": listed,
        entry / "entry.json": journal,
    }
    for path, value in nonsense.items():
        for content in (json.dumps(value), "[" * 100_000, '{"files": ' * 100_000, '{"files": [1], "used": 1e999}'):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)
            assert {model.name for model in store.list_local()} == {"org/one", "two"}
            lines = "\n".join(audit_table(store.audit()))
            assert "org/one" in lines
            store.prune(dry_run=True)
            store.trashed()


def test_a_shard_of_the_index_is_missing(directory: Directory) -> None:
    index = {"weight_map": {"x": "model-1.safetensors", "y": "model-2.safetensors"}}
    content = {
        "config.json": b"{}",
        "model-1.safetensors": WHOLE,
        "model.safetensors.index.json": json.dumps(index).encode(),
    }
    directory.cached("org/model", content=content, pulled=RECENT)
    assert broken(directory) == "model-2.safetensors: model.safetensors.index.json lists it, but it is missing"


def test_a_configuration_that_is_not_json(directory: Directory) -> None:
    directory.folder("model", {**files(), "config.json": b"{"}, used=RECENT)
    assert broken(directory) == "config.json: it is not valid JSON"


def test_no_weights(directory: Directory) -> None:
    directory.folder("model", {"config.json": b"{}"}, used=RECENT)
    assert "no weights" in broken(directory)


def test_a_file_of_the_hubs_listing_is_missing_or_has_another_size(directory: Directory) -> None:
    snapshot = directory.cached("org/model", pulled=RECENT)
    listed = {"README.md": {"size": 5, "blob_id": "x"}, "config.json": {"size": 7, "blob_id": "y"}}
    trees = snapshot.parents[1] / "trees"
    trees.mkdir()
    (trees / f"{A}.json").write_text(json.dumps({"format_version": 1, "files": listed}))
    assert set(one(directory).problems) == {
        "README.md: it is missing", "config.json: it has 22 bytes, but 7 on the hub",
    }  # fmt: skip
    directory.paths.stamp_file(f"org/model@{A}").unlink()
    directory.stamp("org/model", A, used=RECENT)  # another tool pulled it and may have omitted files
    assert one(directory).problems == ("config.json: it has 22 bytes, but 7 on the hub",)


def test_a_link_that_points_nowhere(directory: Directory) -> None:
    snapshot = directory.cached("org/model", pulled=RECENT)
    (snapshot / "model.safetensors").resolve().unlink()
    assert broken(directory) == "model.safetensors: the link points nowhere"


def test_a_link_that_leads_out(directory: Directory, tmp_path: Path) -> None:
    (tmp_path / "outside.safetensors").write_bytes(WHOLE)
    snapshot = directory.cached("org/model", pulled=LONG_AGO)
    (snapshot / "more.safetensors").symlink_to(tmp_path / "outside.safetensors")
    model = one(directory)
    assert model.problems == ("more.safetensors: the link leads out of the model directory",)
    assert (model.status, model.prunable) == (Status.UNUSED, False)
    assert model.size == sum(map(len, files("org/model").values()))


def test_a_model_that_is_a_link_to_a_folder_elsewhere(directory: Directory, tmp_path: Path) -> None:
    elsewhere = Directory(tmp_path / "elsewhere").folder("GLM")
    (directory.root / "old_GLM").symlink_to(elsewhere)
    model = one(directory)
    assert (model.status, model.prunable) == (Status.FOREIGN, False)


def test_a_file_without_read_permission() -> None:
    with tempfile.TemporaryDirectory(prefix="ocr-", dir="/tmp") as folder:
        directory = Directory(Path(folder, "models"))
        weights = directory.folder("model", used=RECENT) / "model.safetensors"
        weights.chmod(0)
        for path in (Path(folder), *directory.root.rglob("*")):
            path.chmod(path.stat().st_mode | 0o055 if path.is_dir() else path.stat().st_mode)
        with as_another_user():
            assert broken(directory) == "model.safetensors: this user may not read it"


class as_another_user:  # noqa: N801 -- a context manager, used like a function
    """Runs the block as another user, because root can read every file."""

    def __enter__(self) -> None:
        self.user = os.geteuid()
        if self.user == 0:
            os.seteuid(65534)

    def __exit__(self, *_: object) -> None:
        os.seteuid(self.user)


def test_a_download_in_progress(directory: Directory) -> None:
    snapshot = directory.cached("org/model", content={"config.json": b"{}"}, pulled=NOW - 3 * DAY)
    partial = snapshot.parents[1] / "blobs" / "0123.4567.incomplete"
    partial.write_bytes(b"...")
    os.utime(partial, (NOW - 3600, NOW - 3600))
    model = one(directory)
    assert (model.status, model.prunable) == (Status.BROKEN, False)
    assert "in progress" in model.reason
    os.utime(partial, (NOW - 2 * DAY, NOW - 2 * DAY))
    assert one(directory).prunable


def test_a_download_that_has_just_begun(directory: Directory) -> None:
    top = directory.root / "models--org--model"
    (top / "blobs").mkdir(parents=True)
    (top / "refs").mkdir()
    (top / "refs" / "main").write_text(A)
    (top / "blobs" / "0.incomplete").touch()
    directory.stamp("org/model", A, pulled=NOW - 60)
    age(top, NOW - 60)
    model = one(directory)
    assert (model.revision, model.status, model.prunable) == (A, Status.BROKEN, False)


def test_broken_today_is_not_prunable_today(directory: Directory) -> None:
    path = directory.folder("model", {"config.json": b"{}"}, used=RECENT)
    age(path, NOW - 3600)
    assert (one(directory).status, one(directory).prunable) == (Status.BROKEN, False)
