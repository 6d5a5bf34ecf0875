"""What an audit says of models that are damaged or not complete, on real directories."""

import json
import os
import tempfile
from pathlib import Path

import pytest

from ocrqueue.models.pruning.audit import Status
from tests.support.models import DAY, LONG_AGO, NOW, RECENT, A, Directory, age, etag_of, files, one, safetensors


def broken(directory: Directory, **settings: object) -> str:
    """The problem of the only model, which is ours and prunable."""
    model = one(directory, **settings)
    assert (model.status, model.prunable) == (Status.BROKEN, True)
    return model.problems[0]


WHOLE = safetensors(b"." * 1000)


@pytest.mark.parametrize(
    ("weights", "problem"),
    [
        (WHOLE[:-1], f"model.safetensors: it is cut off: {len(WHOLE) - 1:,} of {len(WHOLE):,} bytes are there"),
        (WHOLE[:30], "model.safetensors: it is cut off inside its header (30 bytes)"),
        (WHOLE + b"x", "model.safetensors: it has 1 bytes too many"),
        (b"", "model.safetensors: it has no safetensors header"),
        (b"\xff" * 100, "model.safetensors: it has no safetensors header"),
        (WHOLE[:8] + b"{" + WHOLE[9:].replace(b'"w"', b'"w '), "model.safetensors: its safetensors header is damaged"),
    ],
)
def test_a_damaged_safetensors_file(directory: Directory, weights: bytes, problem: str) -> None:
    directory.folder("model", {"config.json": b"{}", "model.safetensors": weights}, used=RECENT)
    assert broken(directory) == problem


def test_a_shard_that_the_index_names_is_not_there(directory: Directory) -> None:
    index = {"weight_map": {"x": "model-1.safetensors", "y": "model-2.safetensors"}}
    content = {
        "config.json": b"{}",
        "model-1.safetensors": WHOLE,
        "model.safetensors.index.json": json.dumps(index).encode(),
    }
    directory.cached("org/model", content=content, pulled=RECENT)
    assert broken(directory) == "model-2.safetensors: model.safetensors.index.json names it, and it is not there"


def test_a_configuration_that_is_no_json(directory: Directory) -> None:
    directory.folder("model", {**files(), "config.json": b"{"}, used=RECENT)
    assert broken(directory) == "config.json: no valid JSON"


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
        "README.md: it is not there", "config.json: it has 22 bytes, and 7 on the hub",
    }  # fmt: skip
    directory.paths.stamp_file(f"org/model@{A}").unlink()
    directory.stamp("org/model", A, used=RECENT)  # another tool pulled it, and may have left files out
    assert one(directory).problems == ("config.json: it has 22 bytes, and 7 on the hub",)


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


def test_a_model_that_is_only_linked_here(directory: Directory, tmp_path: Path) -> None:
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
        with as_somebody_else():
            assert broken(directory) == "model.safetensors: this user may not read it"


class as_somebody_else:  # noqa: N801 -- reads as a sentence
    """The superuser may read everything, so a test that it runs has to be somebody else for a moment."""

    def __enter__(self) -> None:
        self.user = os.geteuid()
        if self.user == 0:
            os.seteuid(65534)

    def __exit__(self, *_: object) -> None:
        os.seteuid(self.user)


def test_a_download_under_way(directory: Directory) -> None:
    snapshot = directory.cached("org/model", content={"config.json": b"{}"}, pulled=NOW - 3 * DAY)
    partial = snapshot.parents[1] / "blobs" / "0123.4567.incomplete"
    partial.write_bytes(b"...")
    os.utime(partial, (NOW - 3600, NOW - 3600))
    model = one(directory)
    assert (model.status, model.prunable) == (Status.BROKEN, False)
    assert "under way" in model.reason
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


# -- hashes ---------------------------------------------------------------------------------------------------
def flip(path: Path) -> None:
    """Change one byte, and nothing that a look from outside shows."""
    about = path.stat()
    with path.open("r+b") as file:
        file.seek(-1, os.SEEK_END)
        file.write(b"!")
    os.utime(path, ns=(about.st_atime_ns, about.st_mtime_ns))


@pytest.mark.parametrize("name", ["model.safetensors", "config.json"])
def test_a_blob_whose_hash_does_not_match(directory: Directory, name: str) -> None:
    content = {**files(), "config.json": b'{"a":[]} '}
    snapshot = directory.cached("org/model", content=content, pulled=RECENT)
    flip((snapshot / name).resolve()) if name != "config.json" else (snapshot / name).resolve().write_bytes(
        b'{"b":[]} '
    )
    age(directory.root / "models--org--model")
    assert not one(directory).problems  # nothing was read in full
    (model,) = directory.store().audit(verify_after=0).models
    assert model.problems == (f"{name}: its content is not what the hub has (its hash is another)",)
    assert broken(directory) == model.problems[0]  # remembered


def test_a_hash_is_read_once_a_week(directory: Directory) -> None:
    blob = (directory.cached("org/model", pulled=RECENT) / "model.safetensors").resolve()
    week = 7 * DAY
    assert not directory.store().audit(verify_after=week).models[0].problems
    flip(blob)
    assert not directory.store(NOW + 6 * DAY).audit(verify_after=week).models[0].problems
    assert directory.store(NOW + 7 * DAY).audit(verify_after=week).models[0].problems
    blob.write_bytes(files("org/model")["model.safetensors"])
    assert not one(directory).problems  # changed since: what was read of it no longer counts


def test_reading_in_full_stops_when_its_time_is_up(directory: Directory) -> None:
    blob = (directory.cached("org/model", pulled=RECENT) / "model.safetensors").resolve()
    flip(blob)
    assert not directory.store().audit(verify_after=0, seconds=-1).models[0].problems


def test_the_hash_that_the_hub_noted_in_a_plain_folder(directory: Directory) -> None:
    path = directory.folder("model", used=RECENT)
    content = (path / "model.safetensors").read_bytes()
    note = path / ".cache" / "huggingface" / "download" / "model.safetensors.metadata"
    note.parent.mkdir(parents=True)
    note.write_text(f"{A}\n{etag_of(content, 'x')}\n{NOW - 30 * DAY}\n")
    assert not directory.store().audit(verify_after=0).models[0].problems
    flip(path / "model.safetensors")
    assert directory.store().audit(verify_after=0).models[0].problems
