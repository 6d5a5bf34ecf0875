"""Planning how a model is moved to the trash: which files are moved, which are linked because others need them.

The order of the steps makes it safe to kill the process. First come hard links in the trash, which change no model;
then one rename, which removes the model from the directory; then the files that no other model needs. An interrupted
removal is undone if the rename was not done, and completed if it was.
"""

import os
from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from ocrqueue.errors import ModelDirectoryError
from ocrqueue.models.files.catalogue import Kind
from ocrqueue.models.files.contents import FileState, ModelFile
from ocrqueue.models.files.paths import DirectoryPaths
from ocrqueue.models.files.survey import Survey, Surveyed, revisions_of
from ocrqueue.models.pruning.audit import LocalModel
from ocrqueue.models.pruning.journal import Action, Entry, EntryState, Step, new_id
from ocrqueue.models.pruning.trash import FILES, STAGED

_OF_A_REPOSITORY = frozenset({"blobs", "refs", "snapshots", "trees", ".no_exist", ".DS_Store"})


@dataclass(frozen=True, slots=True)
class Deletable:
    """What huggingface_hub would delete together with the selected revisions; absolute paths."""

    known: frozenset[str] = frozenset()  # repositories that it could read
    whole: frozenset[str] = frozenset()  # repositories that it would delete completely
    blobs: frozenset[str] = frozenset()  # blobs that no other revision needs


def deletable(root: Path, chosen: Iterable[Surveyed]) -> Deletable:
    """What huggingface_hub would delete with these models. Raises ModelDirectoryError if it is not installed."""
    cached = [model.found for model in chosen if model.found.kind == Kind.CACHE]
    if not cached:
        return Deletable()
    try:
        from huggingface_hub import scan_cache_dir
    except ImportError as e:
        raise ModelDirectoryError("huggingface_hub is not installed: pip install 'ocrqueue[worker]'") from e
    scanned = scan_cache_dir(root)
    strategies = [
        replace(scanned, repos=frozenset({repo})).delete_revisions(*revisions)
        for repo in scanned.repos
        if (revisions := {f.revision for f in cached if f.top == repo.repo_path})
        & {revision.commit_hash for revision in repo.revisions}
    ]
    return Deletable(
        known=frozenset(str(repo.repo_path) for repo in scanned.repos),
        whole=frozenset(str(path) for s in strategies for path in s.repos),
        blobs=frozenset(str(path) for s in strategies for path in s.blobs),
    )


class Removal:
    """Plans the removal of models, one after another, from a directory with this survey."""

    def __init__(self, paths: DirectoryPaths, survey: Survey, hub: Deletable) -> None:
        self._paths = paths
        self._survey = survey
        self._hub = hub
        self._users_of_top: dict[str, set[str]] = defaultdict(
            set
        )  # by entry of the directory: keys of the models that read files below it
        for path, who in survey.users.items():
            if path.startswith(f"{paths.root}{os.sep}"):
                self._users_of_top[path[len(str(paths.root)) + 1 :].partition(os.sep)[0]] |= who

    def plan(self, model: Surveyed, judged: LocalModel, gone: Collection[str], now: float) -> Entry | str:
        """The entry to create, or the reason why the model must stay. `gone`: keys of the models removed before it."""
        found = model.found
        id = new_id(now)
        plan = _Plan(self._paths, id)
        alone = self._alone(model, gone)
        if found.path == found.top and not alone:
            return "another model in the directory needs its files"
        gate = Step(
            Action.MOVE, plan.here(found.top if alone else found.path), plan.there(found.top if alone else found.path)
        )
        for file in model.files:
            if file.state in (FileState.OK, FileState.UNREADABLE) and file.real:
                self._place(plan, model, file, alone, gone)
        if not alone:
            self._move_refs(plan, model)
        return Entry(
            id=id, state=EntryState.MOVING, name=judged.name, revision=judged.revision, key=found.key, when=now,
            status=judged.status, reason=judged.reason, size=judged.size, stamp=asdict(model.stamp),
            before=tuple(plan.before), gate=gate, after=tuple(plan.after),
        )  # fmt: skip

    def _alone(self, model: Surveyed, gone: Collection[str]) -> bool:
        """Whether the whole repository or folder can be removed with this model."""
        top, key = model.found.top, model.found.key
        others = {m.found.key for m in revisions_of(self._survey.models, top)} - {key} - set(gone)
        if others or self._users_of_top[top.name] - {key} - set(gone):
            return False
        if model.found.kind != Kind.CACHE:
            return True
        plain = {p.name for p in top.iterdir()} <= _OF_A_REPOSITORY and all(
            p.is_dir() for p in _listed(top / "snapshots")
        )
        return plain and (str(top) in self._hub.whole or str(top) not in self._hub.known)

    def _place(self, plan: "_Plan", model: Surveyed, file: ModelFile, alone: bool, gone: Collection[str]) -> None:
        """Add the steps after which the entry contains the bytes of this file."""
        found = model.found
        moved = f"{found.top if alone else found.path}{os.sep}"
        if file.real.startswith(moved):
            return  # the rename moves it
        blob = str(found.top / "blobs" / file.etag) if file.etag else ""
        needed = any(who - {found.key} - set(gone) for who in self._users(file.real, blob))
        if not blob:
            plan.overlay(file.real, file.path)
        elif file.real != blob:  # the blob is a link to a file that repositories share
            if alone:
                plan.overlay(file.real, blob)
            else:
                plan.link(file.real, blob)
                plan.add_after(Action.UNLINK, blob, blob)
            if Path(file.real).parents[1] == self._paths.root / "blobs":
                plan.add_after(Action.PAYLOAD, file.real, blob)
        elif needed or not self._may_move(found.top, blob):
            plan.link(file.real, blob)
        else:
            plan.add_after(Action.BLOB, blob, blob)

    def _may_move(self, top: Path, blob: str) -> bool:
        """Whether huggingface_hub would delete a blob too; also if it cannot read the repository."""
        return str(top) not in self._hub.known or str(top) in self._hub.whole or blob in self._hub.blobs

    def _users(self, real: str, blob: str) -> Iterable[frozenset[str]]:
        return [self._survey.users.get(real, frozenset()), self._survey.users.get(blob, frozenset())]

    def _move_refs(self, plan: "_Plan", model: Surveyed) -> None:
        """Move the references to a revision. Without it they would make the repository corrupt for huggingface_hub."""
        found = model.found
        refs = found.top / "refs"
        for path in sorted(p for p in refs.rglob("*") if p.is_file()):
            try:
                if path.read_text().strip() == found.revision:
                    plan.after.append(Step(Action.MOVE, plan.here(path), plan.there(path)))
            except (OSError, ValueError):
                continue
        listing = found.top / "trees" / f"{found.revision}.json"
        if listing.exists():
            plan.after.append(Step(Action.MOVE, plan.here(listing), plan.there(listing)))


class _Plan:
    """Collects the steps of an entry; each path once."""

    def __init__(self, paths: DirectoryPaths, id: str) -> None:
        self._paths = paths
        self._folder = paths.trash / id
        self.before: list[Step] = []
        self.after: list[Step] = []
        self._placed: set[str] = set()

    def here(self, path: str | Path) -> str:
        """A path relative to the model directory."""
        return self._paths.relative(path)

    def there(self, path: str | Path) -> str:
        """The path in the entry for a path in the model directory."""
        return self.here(self._folder / FILES / self.here(path))

    def link(self, real: str, path: str) -> None:
        """Link a file that other models need too into the entry."""
        if path not in self._placed:
            self._placed.add(path)
            self.before.append(Step(Action.LINK, self.here(real), self.there(path)))

    def overlay(self, real: str, path: str) -> None:
        """Replace a symbolic link, which would point out of the entry, by a hard link to the file."""
        if path not in self._placed:
            self._placed.add(path)
            staged = self.here(self._folder / STAGED / str(len(self._placed)))
            self.before.append(Step(Action.LINK, self.here(real), staged))
            self.after.append(Step(Action.REPLACE, staged, self.there(path)))

    def add_after(self, action: Action, source: str, path: str) -> None:
        """Add a step after the rename, unless it is there already."""
        step = Step(action, self.here(source), self.there(path))
        if step not in self.after:
            self.after.append(step)


def _listed(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError:
        return []
