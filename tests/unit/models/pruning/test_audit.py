"""The audit: every status, sizes, special names and entries that are not models, in real directories."""

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ocrqueue.models.files import checks, hashes
from ocrqueue.models.pruning.audit import Status
from tests.support.models import DAY, LONG_AGO, NOW, RECENT, A, B, Directory, files, one, sparse_safetensors

PROJECT = Path(__file__).parents[4]


def test_a_loaded_model_is_current(directory: Directory) -> None:
    path = directory.cached("org/model", pulled=LONG_AGO, used=RECENT)
    model = one(directory)
    assert (model.name, model.kind, model.revision, model.path) == ("org/model", "cache", A, str(path))
    assert (model.status, model.prunable, model.problems, model.files) == (Status.CURRENT, False, (), 2)
    assert model.size == sum(map(len, files("org/model").values()))
    assert model.last_used == RECENT


def test_a_model_in_a_folder(directory: Directory) -> None:
    path = directory.folder("GLM OCR", used=RECENT)
    model = one(directory)
    assert (model.name, model.kind, model.path, model.status) == ("GLM OCR", "folder", str(path), Status.CURRENT)
    (path / "config.json").write_text("{}")
    assert one(directory).revision != model.revision  # so that the page cache does not return text of the old files


def test_loaded_by_a_process(directory: Directory) -> None:
    directory.cached("old_model")
    with directory.store().hold("old_model"):
        assert one(directory).status == Status.IN_USE
    assert one(directory).status == Status.OLD


@pytest.mark.parametrize("wanted", ["org/model", f"org/model@{A[:8]}"])
def test_named_by_the_setting(directory: Directory, wanted: str) -> None:
    directory.cached("org/model", pulled=LONG_AGO)
    assert one(directory, wanted=wanted).status == Status.IN_USE
    assert one(directory, wanted="org/other").status == Status.UNUSED


def test_the_setting_protects_the_revision_that_would_be_loaded(directory: Directory) -> None:
    directory.cached("org/model", A, pulled=LONG_AGO)
    directory.cached("org/model", B, files("new"), pulled=RECENT)
    statuses = {m.revision: m.status for m in directory.store(wanted="org/model").list_local()}
    assert statuses == {A: Status.OLD, B: Status.IN_USE}


def test_the_setting_protects_all_revisions_while_the_newest_is_incomplete(directory: Directory) -> None:
    directory.cached("org/model", A, pulled=LONG_AGO)
    directory.cached("org/model", B, {"config.json": b"{}"}, pulled=RECENT)
    assert {m.status for m in directory.store(wanted="org/model").list_local()} == {Status.IN_USE}
    assert directory.store().get_local_path("org/model").name == A


def test_needed_by_an_open_job(directory: Directory) -> None:
    directory.cached("org/model", pulled=LONG_AGO)
    (model,) = directory.store().list_local(needed=[("org/model", A)])
    assert (model.status, model.reason) == (Status.IN_USE, "an open job needs it")
    (model,) = directory.store().list_local(needed=[("org/model", B)])
    assert model.status == Status.UNUSED


def test_kept(directory: Directory) -> None:
    directory.cached("old_model")
    store = directory.store()
    assert store.keep("old_model")
    assert not store.keep("old_model")
    assert one(directory).status == Status.KEPT
    assert "old_model\n" in directory.paths.keep.read_text()
    assert store.unkeep("old_model")
    assert one(directory).status == Status.OLD


def test_a_revision_is_kept_and_unkept_by_its_first_digits(directory: Directory) -> None:
    directory.cached("org/a", pulled=LONG_AGO)
    directory.cached("org/a", B, pulled=LONG_AGO)
    store = directory.store()
    assert store.keep(f"org/a@{A[:7]}")
    assert store.kept() == {f"org/a@{A}"}
    assert not store.unkeep("org/a")  # all revisions are not on the list
    assert not store.unkeep(f"org/a@{B[:7]}")
    assert store.unkeep(f"org/a@{A[:7]}")
    assert store.kept() == frozenset()
    assert not store.unkeep(f"org/a@{A[:7]}")


def test_the_keep_list_may_be_written_by_hand(directory: Directory) -> None:
    directory.cached("org/a", pulled=LONG_AGO)
    directory.folder("two\nlines", used=LONG_AGO)
    directory.paths.keep.write_text(f'# mine\n\n  org/a@{A}  \n"two\\nlines"\n')
    assert {m.status for m in directory.store().list_local()} == {Status.KEPT}


@pytest.mark.parametrize("name", ["old_GLM", "old_models--org--model"])
def test_old_because_of_its_name(directory: Directory, name: str) -> None:
    directory.cached("org/model")
    (directory.root / "models--org--model").rename(directory.root / name)
    (directory.root / name / "config.json").write_text("{}")
    model = one(directory)
    assert (model.name, model.status, model.prunable) == (name, Status.OLD, True)
    assert one(directory, old_prefixes=("alt_",)).status == Status.FOREIGN


def test_old_because_another_revision_is_main(directory: Directory) -> None:
    directory.cached("org/model", A, pulled=RECENT)
    directory.cached("org/model", B, files("new"), pulled=RECENT)
    assert {m.revision: m.status for m in directory.store().list_local()} == {A: Status.OLD, B: Status.CURRENT}


def test_a_newer_incomplete_revision_makes_nothing_old(directory: Directory) -> None:
    directory.cached("org/model", A, pulled=RECENT)
    directory.cached("org/model", B, {"config.json": b"{}"}, pulled=RECENT)
    assert {m.revision: m.status for m in directory.store().list_local()} == {A: Status.CURRENT, B: Status.BROKEN}


def test_foreign(directory: Directory) -> None:
    directory.cached("org/model", content={"config.json": b"{}"})  # also if it is damaged
    model = one(directory)
    assert (model.status, model.prunable, model.last_used) == (Status.FOREIGN, False, None)
    assert model.problems


def test_a_foreign_model_is_no_longer_foreign_once_it_is_loaded(directory: Directory) -> None:
    directory.cached("org/model")
    directory.store(now=RECENT).hold("org/model").release()
    assert one(directory).status == Status.CURRENT


def test_unused(directory: Directory) -> None:
    directory.cached("org/model", pulled=NOW - 91 * DAY)
    assert (one(directory).status, one(directory).prunable) == (Status.UNUSED, True)
    assert one(directory, unused_days=92).status == Status.CURRENT


def test_a_model_that_is_loaded_for_months_is_stamped_as_used_now(directory: Directory) -> None:
    directory.cached("org/model", used=LONG_AGO)
    with directory.store(now=LONG_AGO).hold("org/model"):
        directory.store().audit()
    assert (one(directory).status, one(directory).last_used) == (Status.CURRENT, NOW)


# -- sizes, names, other entries ----------------------------------------------------------------------------------
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
def test_special_names(directory: Directory, name: str) -> None:
    path = directory.folder(name)
    store = directory.store()
    with store.hold(name) as held:
        assert held.path == path
        assert one(directory).status == Status.IN_USE
    store.keep(name)
    assert one(directory).status == Status.KEPT
    json.dumps(one(directory).to_json())


def test_a_name_that_is_not_unicode(directory: Directory) -> None:
    name = os.fsdecode(b"old_\xff")
    directory.folder(name)
    assert one(directory).status == Status.OLD
    assert [m.name for m in directory.store().prune().moved] == [name]
    assert directory.store().restore(name).name == name


def test_entries_that_are_not_models_are_reported_and_left(directory: Directory) -> None:
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


def test_names_are_never_used_as_paths(directory: Directory, tmp_path: Path) -> None:
    Directory(tmp_path / "elsewhere").folder("GLM")
    for name in ("../elsewhere/GLM", str(tmp_path / "elsewhere" / "GLM"), ".", "", ".ocr-queue"):
        with pytest.raises(Exception, match="no model"):
            directory.store().get_local_path(name)


def test_an_audit_reads_only_headers(directory: Directory, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []

    class Counted(io.FileIO):
        def readinto(self, buffer: object, /) -> int | None:
            sizes.append(super().readinto(buffer) or 0)  # type: ignore[arg-type]
            return sizes[-1]

    for module in (checks, hashes):
        monkeypatch.setattr(module, "open", lambda path, *_, **__: io.BufferedReader(Counted(path)), raising=False)
    folder = directory.folder("model", {"config.json": b"{}"}, used=RECENT)
    for n in range(40):
        sparse_safetensors(folder / f"model-{n}.safetensors", 5 * 10**9)
    model = one(directory)
    assert 0 < sum(sizes) < 41 * io.DEFAULT_BUFFER_SIZE
    assert model.size > 200e9
    assert not model.problems


def test_importing_the_package_loads_no_heavy_module() -> None:
    heavy = "{'mlx', 'numpy', 'huggingface_hub', 'PIL'}"
    program = f"import sys, ocrqueue.models; print({{m.split('.')[0] for m in sys.modules}} & {heavy})"
    run = subprocess.run([sys.executable, "-c", program], cwd=PROJECT, capture_output=True, text=True)
    assert run.stdout.strip() == "set()"
