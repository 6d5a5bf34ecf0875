"""Random model directories: a prune moves only what it may move, and restore undoes it."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from random import Random

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from ocrqueue.models import Pruning
from tests.support.models import DAY, NOW, Directory, bytes_of, files, tree

SMALL = 100  # bytes of references that may remain of a repository
NAMES = ["org/one", "org/two", "old_three"]
REVISIONS = ["a" * 40, "b" * 40, "c" * 40]
TIMES = st.sampled_from([None, NOW - 200 * DAY, NOW - 100 * DAY, NOW - 3 * DAY, NOW - DAY])


@dataclass(frozen=True)
class Drawn:
    """A model to create."""

    name: str
    revision: str | None  # None: a folder
    weights: int  # number of its weights; models with the same number share them
    own: int  # bytes of a file that only this model has
    shared: bool  # its weights are in the folder `blobs` that repositories share
    main: bool
    pulled: float | None
    used: float | None
    damage: str  # "", "cut", "dangling" or "outside"
    link: bool  # a folder that links to the weights of the first cached model
    held: bool
    kept: bool

    @property
    def key(self) -> tuple[str, str]:
        return self.name, self.revision or "folder"


MODELS = st.lists(
    st.builds(
        Drawn,
        name=st.sampled_from(NAMES),
        revision=st.sampled_from([None, *REVISIONS]),
        weights=st.integers(0, 2),
        own=st.integers(0, 3000),
        shared=st.booleans(),
        main=st.booleans(),
        pulled=TIMES,
        used=TIMES,
        damage=st.sampled_from(["", "", "", "cut", "dangling", "outside"]),
        link=st.booleans(),
        held=st.sampled_from([False, False, False, True]),
        kept=st.sampled_from([False, False, False, True]),
    ),
    max_size=7,
    unique_by=lambda model: model.key,
)


def build(directory: Directory, outside: Path, models: list[Drawn]) -> dict[tuple[str, str], Path]:
    paths: dict[tuple[str, str], Path] = {}
    for model in models:
        content = {**files(f"w{model.weights}"), "own.txt": f"{model.key}".encode().ljust(model.own, b".")}
        if model.revision is None:
            name = model.name.replace("/", " ")
            path = directory.folder(name, content, pulled=model.pulled, used=model.used)
        else:
            path = directory.cached(
                model.name, model.revision, content, model.main, model.shared, pulled=model.pulled, used=model.used
            )
        _damage(path, outside, model)
        paths[model.key] = path
    cached = [path for key, path in paths.items() if key[1] != "folder"]
    for model in models:
        if model.revision is None and model.link and cached:
            target = (cached[0] / "own.txt").resolve()
            (paths[model.key] / "linked.txt").symlink_to(target)
    return paths


def _damage(path: Path, outside: Path, model: Drawn) -> None:
    own = path / "own.txt"
    if model.damage == "cut" and model.revision is None:
        (path / "model.safetensors").write_bytes(b"cut")
    elif model.damage == "dangling":
        (path / "nowhere").symlink_to("not-there")
    elif model.damage == "outside":
        (path / "outside").symlink_to(outside)
    assert own.exists()


@pytest.fixture(autouse=True, scope="module")
def _without_sync() -> Iterator[None]:
    """Do not sync to disk, because these tests do not cut the power."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda _: None)
        yield


@pytest.mark.thorough
@settings(
    max_examples=100, phases=[Phase.generate], report_multiple_bugs=False, suppress_health_check=[HealthCheck.too_slow]
)
@given(models=MODELS, limit=st.sampled_from([None, 0, 2000, 5000, 10_000]), order=st.randoms(use_true_random=False))
def test_a_prune_moves_only_what_it_may_and_restore_undoes_it(
    models: list[Drawn], limit: int | None, order: Random
) -> None:
    folder = Path(tempfile.mkdtemp(prefix="ocr-"))
    try:
        outside = folder / "outside.txt"
        outside.write_text("foreign")
        directory = Directory(folder / "models")
        paths = build(directory, outside, models)
        _check(directory, paths, models, limit, order)
        assert outside.read_text() == "foreign"
        assert sorted(p.name for p in folder.iterdir()) == ["models", "outside.txt"]
    finally:
        shutil.rmtree(folder)


def _check(
    directory: Directory, paths: dict[tuple[str, str], Path], models: list[Drawn], limit: int | None, order: Random
) -> None:
    store = directory.store(max_bytes=limit)
    with ExitStack() as stack:
        held = set()
        for model in models:
            name = model.name if model.revision else model.name.replace("/", " ")
            revision = f"@{model.revision}" if model.revision else ""
            if model.kept:
                store.keep(name + revision)
            if model.held and model.damage not in ("cut", "dangling"):
                stack.enter_context(store.hold(name + revision))
                held.add(model.key)
        before = {key: bytes_of(path) for key, path in paths.items()}
        whole = tree(directory.root)
        audit = store.audit()
        unowned = audit.size - needed_by({str(path) for path in paths.values()})  # such as blobs that no model links to
        never = {m.path for m in audit.models if m.status in ("IN_USE", "KEPT", "FOREIGN")}

        done = store.prune()
        left = {key for key, path in paths.items() if path.exists()}
        for model in models:
            if model.key in held or model.kept or str(paths[model.key]) in never:
                assert model.key in left, "a model was moved that may not be moved"
        for key in left:
            assert bytes_of(paths[key]) == before[key], "a model that stays has lost files"
        size = store.audit().size
        slack = SMALL * len(models)
        assert audit.size - done.freed - slack <= size <= audit.size - done.freed
        if limit is not None:
            stuck = never | {str(paths[m.key]) for m in models if m.damage == "outside"}
            stuck |= {m.path for m in audit.models if (m.name, m.revision) in blocked(done)}
            assert abs(done.over - max(0, size - limit)) <= slack
            assert size <= limit or needed_by(stuck) + unowned + slack > limit

        for entry in order.sample(store.trashed(), len(store.trashed())):
            store.restore(entry.id)
        assert not store.trashed()
        assert {key: bytes_of(path) for key, path in paths.items()} == before
        plain = {name: what for name, what in tree(directory.root).items() if not name.startswith("blobs/")}
        for name, what in plain.items():
            linked = whole[name].startswith("-> ")  # a link that led out of the model is restored as the file itself
            assert what == whole[name] or linked


def blocked(done: Pruning) -> set[tuple[str, str]]:
    """Models that could not be moved because others need their files."""
    return {(m.name, m.revision) for m in done.models if not m.moved}


def needed_by(paths: set[str]) -> int:
    """Bytes of the files of these models, each counted once."""
    found = [p.stat() for path in paths for p in Path(path).rglob("*") if p.is_file()]
    return sum({(s.st_dev, s.st_ino): s.st_size for s in found}.values())
