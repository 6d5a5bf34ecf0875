"""What a prune moves and what it leaves. Restore returns the directory to its previous contents."""

import json
import os
import shutil
from pathlib import Path

import pytest

from ocrqueue.errors import ModelDirectoryError
from ocrqueue.models.files.locks import locked
from tests.support.models import LONG_AGO, RECENT, A, B, C, Directory, bytes_of, entry_files, files, moved, tree


def test_a_folder_is_moved_and_restored(directory: Directory) -> None:
    path = directory.folder("old_GLM")
    before = tree(directory.root)
    store = directory.store()
    assert [m.name for m in store.prune().moved] == ["old_GLM"]
    assert not path.exists()
    assert store.restore("old_GLM").name == "old_GLM"
    assert tree(directory.root) == before
    assert not store.trashed()


def test_a_repository_is_moved_and_restored(directory: Directory) -> None:
    directory.cached("org/model", pulled=LONG_AGO)
    directory.cached("org/other", pulled=RECENT)
    before = tree(directory.root)
    store = directory.store()
    assert moved(store.prune()) == ["org/model@a"]
    assert [m.name for m in store.list_local()] == ["org/other"]
    store.restore("org/model")
    assert tree(directory.root) == before
    assert [m.status for m in store.list_local()] == ["CURRENT", "CURRENT"]  # the next prune does not move it again


def test_a_superseded_revision_leaves_the_blobs_that_the_new_one_needs(directory: Directory) -> None:
    old = directory.cached("org/model", A, {**files(), "a.txt": b"only in the old one"}, pulled=RECENT)
    new = directory.cached("org/model", B, {**files(), "b.txt": b"only in the new one"}, pulled=RECENT)
    was_old, was_new, before = bytes_of(old), bytes_of(new), tree(directory.root)
    store = directory.store()
    done = store.prune()
    assert moved(done) == ["org/model@a"]
    assert done.freed == len(b"only in the old one")
    assert not old.exists()
    assert bytes_of(new) == was_new
    entry = entry_files(directory) / "models--org--model"
    assert bytes_of(entry / "snapshots" / A) == was_old  # complete
    weights = (entry / "snapshots" / A / "model.safetensors").resolve()
    assert weights.samefile(new / "model.safetensors")  # linked, not copied
    store.restore("org/model")
    assert tree(directory.root) == before


def test_several_revisions_of_one_repository_at_once(directory: Directory) -> None:
    for revision in (A, B, C):
        directory.cached("org/model", revision, {**files(), "own.txt": revision.encode()}, pulled=RECENT)
    before = tree(directory.root)
    store = directory.store()
    assert moved(store.prune()) == ["org/model@a", "org/model@b"]
    for revision in (A, B):
        store.restore(f"org/model@{revision[:6]}")
    assert tree(directory.root) == before


def test_all_revisions_of_one_repository_at_once(directory: Directory) -> None:
    for revision in (A, B):
        directory.cached("org/model", revision, {**files(), "own.txt": revision.encode()}, main=False, pulled=LONG_AGO)
    before = tree(directory.root)
    store = directory.store()
    assert moved(store.prune()) == ["org/model@a", "org/model@b"]
    assert not (directory.root / "models--org--model").exists()
    store.restore(f"org/model@{B}")
    store.restore(f"org/model@{A}")
    assert tree(directory.root) == before


def test_a_repository_whose_weights_others_share_by_links(directory: Directory) -> None:
    one = directory.cached("org/one", content=files(), shared=True, pulled=LONG_AGO)
    two = directory.cached("org/two", content=files(), shared=True, pulled=RECENT)
    was = bytes_of(one)
    store = directory.store()
    assert moved(store.prune()) == ["org/one@a"]
    assert bytes_of(two) == was
    trashed = entry_files(directory) / "models--org--one" / "snapshots" / A
    assert bytes_of(trashed) == was
    assert not (trashed / "model.safetensors").resolve().is_symlink()
    shutil.rmtree(directory.root / "blobs")  # the entry does not need the shared file
    store.restore("org/one")
    assert bytes_of(one) == was


def test_a_shared_file_is_moved_with_its_last_user(directory: Directory) -> None:
    one = directory.cached("org/one", content=files(), shared=True, pulled=LONG_AGO)
    two = directory.cached("org/two", content=files(), shared=True, pulled=LONG_AGO)
    was = bytes_of(one)
    store = directory.store()
    assert moved(store.prune()) == ["org/one@a", "org/two@a"]
    assert not list((directory.root / "blobs").glob("??/*[0-9a-f]"))
    store.restore("org/one")
    store.restore("org/two")
    assert bytes_of(one) == bytes_of(two) == was


def test_a_superseded_revision_with_a_shared_file(directory: Directory) -> None:
    other = directory.cached("org/other", content=files(), shared=True, pulled=RECENT)
    old = directory.cached("org/model", A, files(), shared=True, pulled=RECENT)
    new = directory.cached("org/model", B, files("new"), shared=True, pulled=RECENT)
    was_old, was_new, was_other = bytes_of(old), bytes_of(new), bytes_of(other)
    store = directory.store()
    assert moved(store.prune()) == ["org/model@a"]
    assert (bytes_of(new), bytes_of(other)) == (was_new, was_other)
    store.restore("org/model")
    assert (bytes_of(old), bytes_of(new), bytes_of(other)) == (was_old, was_new, was_other)


def test_a_folder_that_links_into_the_cache_keeps_its_bytes(directory: Directory) -> None:
    snapshot = directory.cached("org/model", pulled=LONG_AGO)
    folder = directory.folder("mine", {"config.json": b"{}"}, used=RECENT)
    (folder / "model.safetensors").symlink_to(os.path.relpath((snapshot / "model.safetensors").resolve(), folder))
    was, was_model = bytes_of(folder), bytes_of(snapshot)
    store = directory.store()
    assert moved(store.prune()) == ["org/model@a"]
    assert bytes_of(folder) == was
    store.restore("org/model")
    assert bytes_of(snapshot) == was_model


def test_a_folder_to_which_others_link_stays(directory: Directory) -> None:
    folder = directory.folder("old_GLM")
    other = directory.folder("mine", {"config.json": b"{}"}, used=RECENT)
    (other / "model.safetensors").symlink_to(folder / "model.safetensors")
    (left,) = directory.store().prune().models
    assert not left.moved
    assert "needs its files" in str(left.why_not)
    assert (other / "model.safetensors").exists()


@pytest.mark.parametrize("damage", ["blob", "reference"])
def test_a_repository_that_huggingface_hub_reports_as_corrupt(directory: Directory, damage: str) -> None:
    old = directory.cached("org/model", A, {**files(), "a.txt": b"a"}, pulled=LONG_AGO)
    new = directory.cached("org/model", B, {**files(), "b.txt": b"b"}, pulled=RECENT)
    if damage == "blob":
        (old / "a.txt").resolve().unlink()
    else:
        (old.parents[1] / "refs" / "v1").write_text(C)
    was = bytes_of(new)
    store = directory.store()
    assert moved(store.prune()) == ["org/model@a"]
    assert bytes_of(new) == was
    store.restore("org/model")
    assert (old / "model.safetensors").exists()


def test_a_reference_is_moved_with_its_revision(directory: Directory) -> None:
    old = directory.cached("org/model", A, files("old"), pulled=RECENT)
    directory.cached("org/model", B, pulled=RECENT)
    (old.parents[1] / "refs" / "v1").write_text(A)
    before = tree(directory.root)
    store = directory.store()
    store.prune()
    assert not (old.parents[1] / "refs" / "v1").exists()
    store.restore("org/model")
    assert tree(directory.root) == before


def test_models_that_are_never_moved(directory: Directory, tmp_path: Path) -> None:
    outside = tmp_path / "outside.bin"
    outside.write_bytes(b"not ours")
    directory.cached("org/held", pulled=LONG_AGO)
    directory.cached("org/kept", pulled=LONG_AGO)
    directory.cached("org/wanted", pulled=LONG_AGO)
    directory.cached("org/needed", pulled=LONG_AGO)
    directory.cached("org/foreign")
    directory.cached("org/pulling", pulled=LONG_AGO)
    (directory.cached("org/leads-out", pulled=LONG_AGO) / "x.bin").symlink_to(outside)
    (directory.root / "old_unknown").mkdir()
    store = directory.store(wanted="org/wanted", max_bytes=0)
    store.keep("org/kept")
    with store.hold("org/held"), locked(directory.paths.lock_file("org/pulling@pull")):
        before = tree(directory.root)
        assert not store.prune(needed=[("org/needed", A)]).models
    assert tree(directory.root) == before
    assert outside.read_bytes() == b"not ours"


def test_a_model_that_is_used_between_audit_and_move_stays(
    directory: Directory, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory.cached("org/model", pulled=LONG_AGO)
    store = directory.store()
    from ocrqueue.models.pruning import prune

    held = []
    plan = prune.Removal.plan

    def hold_and_plan(*args: object) -> object:
        held.append(store.hold("org/model"))
        return plan(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(prune.Removal, "plan", hold_and_plan)
    (left,) = store.prune().models
    assert (left.moved, left.why_not) == (False, "it came into use during the prune")
    assert held[0].path.exists()


@pytest.mark.parametrize("limit", [None, 0, 2500])
def test_a_dry_run_returns_exactly_what_a_real_run_does(directory: Directory, limit: int | None) -> None:
    directory.folder("old_GLM")
    directory.cached("org/shared", content=files(), shared=True, pulled=LONG_AGO)
    directory.cached("org/other", content=files(), shared=True, pulled=RECENT)
    directory.cached("org/model", A, {**files(), "a": b"a"}, pulled=RECENT)
    directory.cached("org/model", B, {**files(), "b": b"b"}, pulled=RECENT)
    store = directory.store(max_bytes=limit)
    before = tree(directory.root)
    dry = store.prune(dry_run=True)
    assert tree(directory.root) == before
    assert not store.trashed()
    real = store.prune()
    assert [m.to_json() | {"entry": None} for m in real.models] == [m.to_json() for m in dry.models]
    assert (real.freed, real.over, real.emptied) == (dry.freed, dry.over, dry.emptied)
    assert real.models


def test_if_space_is_short_the_least_recently_used_models_are_moved(directory: Directory) -> None:
    for n, name in enumerate(("org/a", "org/b", "org/c")):
        directory.cached(name, pulled=RECENT + n)
    whole = directory.store().audit().size
    done = directory.store(max_bytes=whole - 1).prune()
    assert moved(done) == ["org/a@a"]
    assert "space is short" in done.moved[0].reason
    assert done.over == 0
    assert directory.store().audit().size <= whole - 1


def test_no_current_model_is_moved_if_the_limit_cannot_be_reached(directory: Directory) -> None:
    directory.cached("org/mine", pulled=RECENT)
    directory.cached("org/foreign")
    done = directory.store(max_bytes=100).prune()
    assert not done.models
    assert done.over == directory.store().audit().size - 100


def test_without_hard_links_a_revision_that_shares_files_is_only_reported(
    directory: Directory, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(95, "Operation not supported", "x")

    directory.cached("org/model", A, pulled=RECENT)
    directory.cached("org/model", B, {**files("org/model"), "b": b"b"}, pulled=RECENT)
    before = tree(directory.root)
    monkeypatch.setattr(os, "link", refuse)
    for dry_run in (True, False):
        (left,) = directory.store().prune(dry_run).models
        assert not left.moved
        assert "Operation not supported" in str(left.why_not)
    assert tree(directory.root) == before
    assert not directory.store().trashed()


def test_an_unreadable_keep_list_stops_a_prune(directory: Directory) -> None:
    directory.folder("old_GLM")
    directory.paths.keep.write_bytes(b"\xff\xfe")
    with pytest.raises(ModelDirectoryError, match="keep list"):
        directory.store().prune()
    assert (directory.root / "old_GLM").exists()


def test_a_state_folder_that_leads_elsewhere_is_refused(directory: Directory, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    shutil.rmtree(directory.paths.state, ignore_errors=True)
    directory.paths.state.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ModelDirectoryError, match="is a link"):
        directory.store().prune()


def test_two_prunes_at_once_wait_for_each_other(directory: Directory, monkeypatch: pytest.MonkeyPatch) -> None:
    from ocrqueue.models.files import locks

    monkeypatch.setattr(locks, "_DIRECTORY_SECONDS", 0.1)
    directory.paths.prepare()
    with locks.directory_lock(directory.paths), pytest.raises(ModelDirectoryError, match="another prune"):
        directory.store().prune()


def test_the_journal_says_what_was_moved(directory: Directory) -> None:
    directory.folder("old_GLM")
    directory.store().prune()
    (entry,) = directory.paths.trash.iterdir()
    record = json.loads((entry / "entry.json").read_text())
    assert (record["state"], record["name"], record["gate"]["source"]) == ("trashed", "old_GLM", "old_GLM")
