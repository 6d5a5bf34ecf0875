"""What an audit says of models: every status, and everything that can be wrong, on real directories."""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from ocrqueue.models import LocalModel
from ocrqueue.models.audit import BROKEN, CURRENT, FOREIGN, IN_USE, KEPT, OLD, UNUSED
from tests.models import DAY, NOW, A, B, Directory, age, etag_of, files, safetensors, sparse_safetensors

PROJECT = Path(__file__).parents[2]
RECENT, LONG_AGO = NOW - DAY, NOW - 200 * DAY


@pytest.fixture
def directory(tmp_path: Path) -> Directory:
    return Directory(tmp_path / "models")


def one(directory: Directory, **settings: object) -> LocalModel:
    (model,) = directory.store(**settings).list_local()
    return model


def test_a_model_that_we_loaded_is_current(directory: Directory) -> None:
    path = directory.cached("org/model", pulled=LONG_AGO, used=RECENT)
    model = one(directory)
    assert (model.name, model.kind, model.revision, model.path) == ("org/model", "cache", A, str(path))
    assert (model.status, model.prunable, model.problems, model.files) == (CURRENT, False, (), 2)
    assert model.size == sum(map(len, files("org/model").values()))
    assert model.last_used == RECENT


def test_a_model_in_a_folder(directory: Directory) -> None:
    path = directory.folder("GLM OCR", used=RECENT)
    model = one(directory)
    assert (model.name, model.kind, model.path, model.status) == ("GLM OCR", "folder", str(path), CURRENT)
    (path / "config.json").write_text("{}")
    assert one(directory).revision != model.revision  # so that what was read with the old one is not taken for it


def test_loaded_by_a_process(directory: Directory) -> None:
    directory.cached("old_model")
    with directory.store().hold("old_model"):
        assert one(directory).status == IN_USE
    assert one(directory).status == OLD


@pytest.mark.parametrize("wanted", ["org/model", f"org/model@{A[:8]}"])
def test_named_by_the_setting(directory: Directory, wanted: str) -> None:
    directory.cached("org/model", pulled=LONG_AGO)
    assert one(directory, wanted=wanted).status == IN_USE
    assert one(directory, wanted="org/other").status == UNUSED


def test_the_setting_protects_the_revision_that_would_be_loaded(directory: Directory) -> None:
    directory.cached("org/model", A, pulled=LONG_AGO)
    directory.cached("org/model", B, files("new"), pulled=RECENT)
    statuses = {m.revision: m.status for m in directory.store(wanted="org/model").list_local()}
    assert statuses == {A: OLD, B: IN_USE}


def test_the_setting_protects_all_revisions_while_the_newest_is_not_complete(directory: Directory) -> None:
    directory.cached("org/model", A, pulled=LONG_AGO)
    directory.cached("org/model", B, {"config.json": b"{}"}, pulled=RECENT)
    assert {m.status for m in directory.store(wanted="org/model").list_local()} == {IN_USE}
    assert directory.store().get_local_path("org/model").name == A


def test_needed_by_an_open_job(directory: Directory) -> None:
    directory.cached("org/model", pulled=LONG_AGO)
    (model,) = directory.store().list_local(needed=[("org/model", A)])
    assert (model.status, model.reason) == (IN_USE, "an open job needs it")
    (model,) = directory.store().list_local(needed=[("org/model", B)])
    assert model.status == UNUSED


def test_kept(directory: Directory) -> None:
    directory.cached("old_model")
    store = directory.store()
    assert store.keep("old_model")
    assert not store.keep("old_model")
    assert one(directory).status == KEPT
    assert "old_model\n" in directory.layout.keep.read_text()
    assert store.unkeep("old_model")
    assert one(directory).status == OLD


def test_the_keep_list_may_be_written_by_hand(directory: Directory) -> None:
    directory.cached("org/a", pulled=LONG_AGO)
    directory.folder("two\nlines", used=LONG_AGO)
    directory.layout.keep.write_text(f'# mine\n\n  org/a@{A}  \n"two\\nlines"\n')
    assert {m.status for m in directory.store().list_local()} == {KEPT}


@pytest.mark.parametrize("name", ["old_GLM", "old_models--org--model"])
def test_old_by_its_name_whoever_pulled_it(directory: Directory, name: str) -> None:
    directory.cached("org/model")
    (directory.root / "models--org--model").rename(directory.root / name)
    (directory.root / name / "config.json").write_text("{}")
    model = one(directory)
    assert (model.name, model.status, model.prunable) == (name, OLD, True)
    assert one(directory, old_prefixes=("alt_",)).status == FOREIGN


def test_old_since_another_revision_is_main(directory: Directory) -> None:
    directory.cached("org/model", A, pulled=RECENT)
    directory.cached("org/model", B, files("new"), pulled=RECENT)
    assert {m.revision: m.status for m in directory.store().list_local()} == {A: OLD, B: CURRENT}


def test_a_newer_revision_that_is_not_complete_makes_nothing_old(directory: Directory) -> None:
    directory.cached("org/model", A, pulled=RECENT)
    directory.cached("org/model", B, {"config.json": b"{}"}, pulled=RECENT)
    assert {m.revision: m.status for m in directory.store().list_local()} == {A: CURRENT, B: BROKEN}


def test_foreign(directory: Directory) -> None:
    directory.cached("org/model", content={"config.json": b"{}"})  # whatever is in it
    model = one(directory)
    assert (model.status, model.prunable, model.last_used) == (FOREIGN, False, None)
    assert model.problems


def test_a_foreign_model_that_we_load_is_ours(directory: Directory) -> None:
    directory.cached("org/model")
    directory.store(now=RECENT).hold("org/model").release()
    assert one(directory).status == CURRENT


def test_unused(directory: Directory) -> None:
    directory.cached("org/model", pulled=NOW - 91 * DAY)
    assert (one(directory).status, one(directory).prunable) == (UNUSED, True)
    assert one(directory, unused_days=92).status == CURRENT


def test_what_is_loaded_for_months_was_used_until_now(directory: Directory) -> None:
    directory.cached("org/model", used=LONG_AGO)
    with directory.store(now=LONG_AGO).hold("org/model"):
        directory.store().audit()
    assert (one(directory).status, one(directory).last_used) == (CURRENT, NOW)


# -- what can be wrong ----------------------------------------------------------------------------------------
def broken(directory: Directory, **settings: object) -> str:
    """The problem of the only model, which is ours and prunable."""
    model = one(directory, **settings)
    assert (model.status, model.prunable) == (BROKEN, True)
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
    directory.layout.stamp_file(f"org/model@{A}").unlink()
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
    assert (model.status, model.prunable) == (UNUSED, False)
    assert model.size == sum(map(len, files("org/model").values()))


def test_a_model_that_is_only_linked_here(directory: Directory, tmp_path: Path) -> None:
    elsewhere = Directory(tmp_path / "elsewhere").folder("GLM")
    (directory.root / "old_GLM").symlink_to(elsewhere)
    model = one(directory)
    assert (model.status, model.prunable) == (FOREIGN, False)


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
    assert (model.status, model.prunable) == (BROKEN, False)
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
    assert (model.revision, model.status, model.prunable) == (A, BROKEN, False)


def test_broken_today_is_not_prunable_today(directory: Directory) -> None:
    path = directory.folder("model", {"config.json": b"{}"}, used=RECENT)
    age(path, NOW - 3600)
    assert (one(directory).status, one(directory).prunable) == (BROKEN, False)


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


# -- sizes, names, strangers ----------------------------------------------------------------------------------
def test_two_revisions_share_their_blobs(directory: Directory) -> None:
    directory.cached("org/model", A, {**files(), "a.txt": b"aaa"}, pulled=RECENT)
    directory.cached("org/model", B, {**files(), "b.txt": b"b"}, pulled=RECENT)
    audit = directory.store().audit()
    shared = sum(map(len, files().values()))
    assert [m.size for m in audit.models] == [shared + 3, shared + 1]
    assert audit.size == shared + 4 + len(A)  # refs/main


def test_two_repositories_share_their_blobs(directory: Directory) -> None:
    directory.cached("org/one", content=files(), shared=True, pulled=RECENT)
    directory.cached("org/two", content=files(), shared=True, pulled=RECENT)
    audit = directory.store().audit()
    weights, config = len(files()["model.safetensors"]), len(files()["config.json"])
    assert [m.size for m in audit.models] == [weights + config] * 2
    assert weights + 2 * config <= audit.size < 2 * weights
    assert not [m.problems for m in audit.models if m.problems]
    assert not audit.unknown


@pytest.mark.parametrize("name", ["with space", "Größe 漢字", "two\nlines", "-rf", "a@b", "'\"; $(x)", "x" * 255])
def test_odd_names(directory: Directory, name: str) -> None:
    path = directory.folder(name)
    store = directory.store()
    with store.hold(name) as held:
        assert held.path == path
        assert one(directory).status == IN_USE
    store.keep(name)
    assert one(directory).status == KEPT
    json.dumps(one(directory).to_json())


def test_a_name_that_is_no_text(directory: Directory) -> None:
    name = os.fsdecode(b"old_\xff")
    directory.folder(name)
    assert one(directory).status == OLD
    assert [m.name for m in directory.store().prune().moved] == [name]
    assert directory.store().restore(name).name == name


def test_what_is_no_model_is_said_and_left(directory: Directory) -> None:
    (directory.root / "old_photos").mkdir()
    (directory.root / "old_photos" / "cat.jpg").touch()
    (directory.root / "datasets--org--data" / "snapshots" / A).mkdir(parents=True)
    (directory.root / "old_notes.txt").touch()
    (directory.root / ".locks").mkdir()
    store = directory.store()
    assert store.audit().unknown == ("datasets--org--data", "old_notes.txt", "old_photos")
    assert not store.prune().models


def test_no_directory_yet(tmp_path: Path) -> None:
    assert Directory(tmp_path / "models").store().list_local() == []


def test_names_are_looked_up_and_never_made_into_a_path(directory: Directory, tmp_path: Path) -> None:
    Directory(tmp_path / "elsewhere").folder("GLM")
    for name in ("../elsewhere/GLM", str(tmp_path / "elsewhere" / "GLM"), ".", "", ".ocr-queue"):
        with pytest.raises(Exception, match="no model"):
            directory.store().get_local_path(name)


def test_an_audit_of_200_gb_takes_a_moment(directory: Directory) -> None:
    folder = directory.folder("model", {"config.json": b"{}"}, used=RECENT)
    for n in range(40):
        sparse_safetensors(folder / f"model-{n}.safetensors", 5 * 10**9)
    started = time.monotonic()
    model = one(directory)
    assert time.monotonic() - started < 2
    assert model.size > 200e9
    assert not model.problems


def test_nothing_heavy_is_loaded() -> None:
    heavy = "{'mlx', 'numpy', 'huggingface_hub', 'PIL'}"
    program = f"import sys, ocrqueue.models; print({{m.split('.')[0] for m in sys.modules}} & {heavy})"
    run = subprocess.run([sys.executable, "-c", program], cwd=PROJECT, capture_output=True, text=True)
    assert run.stdout.strip() == "set()"
