"""How a model leaves the directory: which files go, which stay since others need them, in which order.

The order makes it safe to be killed: links into the trash first, of which nobody sees anything; then one rename, with
which the model is gone; then the files that nobody else needs. Before the rename all can be undone, after it ended.
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
class HubWord:
    """What huggingface_hub says may go with all the models chosen, by repository folder."""

    known: frozenset[str]  # repositories that it could read
    whole: frozenset[str]  # repositories of which nothing need stay
    blobs: frozenset[str]  # blobs that no other revision needs
    refs: frozenset[str]


def ask_hub(root: Path, chosen: Iterable[Surveyed]) -> HubWord:
    """Its strategy for deleting these revisions. Raises ModelDirectoryError where it is not installed."""
    cached = [model.found for model in chosen if model.found.kind == Kind.CACHE]
    if not cached:
        return HubWord(frozenset(), frozenset(), frozenset(), frozenset())
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
    return HubWord(
        known=frozenset(str(repo.repo_path) for repo in scanned.repos),
        whole=frozenset(str(path) for s in strategies for path in s.repos),
        blobs=frozenset(str(path) for s in strategies for path in s.blobs),
        refs=frozenset(str(path) for s in strategies for path in s.refs),
    )


class Removal:
    """Plans the way of one model into the trash, while the models of `staying` stay."""

    def __init__(self, paths: DirectoryPaths, survey: Survey, word: HubWord) -> None:
        self._paths = paths
        self._survey = survey
        self._word = word
        self._users_of_top: dict[str, set[str]] = defaultdict(set)  # keys of the models that read from below an entry
        for path, who in survey.users.items():
            if path.startswith(f"{paths.root}{os.sep}"):
                self._users_of_top[path[len(str(paths.root)) + 1 :].partition(os.sep)[0]] |= who

    def plan(self, model: Surveyed, judged: LocalModel, gone: Collection[str], now: float) -> Entry | str:
        """The entry to be made, or why the model has to stay. `gone`: keys of the models that have left before."""
        found = model.found
        id = new_id(now)
        plan = _Plan(self._paths, id)
        alone = self._alone(model, gone)
        if found.path == found.top and not alone:
            return "something else in the directory needs its files"
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
        """Whether all that lies in the repository, or the folder, goes with this model."""
        top, key = model.found.top, model.found.key
        others = {m.found.key for m in revisions_of(self._survey.models, top)} - {key} - set(gone)
        if others or self._users_of_top[top.name] - {key} - set(gone):
            return False
        if model.found.kind != Kind.CACHE:
            return True
        plain = {p.name for p in top.iterdir()} <= _OF_A_REPOSITORY and all(
            p.is_dir() for p in _listed(top / "snapshots")
        )
        return plain and (str(top) in self._word.whole or str(top) not in self._word.known)

    def _place(self, plan: "_Plan", model: Surveyed, file: ModelFile, alone: bool, gone: Collection[str]) -> None:
        """See to it that the entry has a file's bytes where its link leads."""
        found = model.found
        moved = f"{found.top if alone else found.path}{os.sep}"
        if file.real.startswith(moved):
            return  # goes with the rename
        blob = str(found.top / "blobs" / file.etag) if file.etag else ""
        needed = any(who - {found.key} - set(gone) for who in self._users(file.real, blob))
        if not blob:
            plan.overlay(file.real, file.path)
        elif file.real != blob:  # the blob is a link itself, to a file that repositories share
            if alone:
                plan.overlay(file.real, blob)
            else:
                plan.link(file.real, blob)
                plan.add_after(Action.UNLINK, blob, blob)
            if Path(file.real).parents[1] == self._paths.root / "blobs":
                plan.add_after(Action.PAYLOAD, file.real, blob)
        elif needed or (
            str(found.top) in self._word.known and blob not in self._word.blobs and not self._whole(found.top)
        ):
            plan.link(file.real, blob)
        else:
            plan.add_after(Action.BLOB, blob, blob)

    def _whole(self, top: Path) -> bool:
        return str(top) in self._word.whole

    def _users(self, real: str, blob: str) -> Iterable[frozenset[str]]:
        return [self._survey.users.get(real, frozenset()), self._survey.users.get(blob, frozenset())]

    def _move_refs(self, plan: "_Plan", model: Surveyed) -> None:
        """References to a revision that has left would make huggingface_hub call the repository corrupted."""
        found = model.found
        refs = found.top / "refs"
        for path in sorted(p for p in refs.rglob("*") if p.is_file()):
            try:
                if path.read_text().strip() == found.revision:
                    plan.after.append(Step(Action.MOVE, plan.here(path), plan.there(path)))
            except (OSError, ValueError):
                continue
        noted = found.top / "trees" / f"{found.revision}.json"
        if noted.exists():
            plan.after.append(Step(Action.MOVE, plan.here(noted), plan.there(noted)))


class _Plan:
    """Collects steps; each path once."""

    def __init__(self, paths: DirectoryPaths, id: str) -> None:
        self._paths = paths
        self._folder = paths.trash / id
        self.before: list[Step] = []
        self.after: list[Step] = []
        self._placed: set[str] = set()

    def here(self, path: str | Path) -> str:
        return self._paths.relative(path)

    def there(self, path: str | Path) -> str:
        """The place in the entry that answers to a path in the directory."""
        return self.here(self._folder / FILES / self.here(path))

    def link(self, real: str, path: str) -> None:
        """A file that others need as well: the entry has it by another name."""
        if path not in self._placed:
            self._placed.add(path)
            self.before.append(Step(Action.LINK, self.here(real), self.there(path)))

    def overlay(self, real: str, path: str) -> None:
        """A link that leads out of what is moved becomes the file itself."""
        if path not in self._placed:
            self._placed.add(path)
            staged = self.here(self._folder / STAGED / str(len(self._placed)))
            self.before.append(Step(Action.LINK, self.here(real), staged))
            self.after.append(Step(Action.REPLACE, staged, self.there(path)))

    def add_after(self, action: Action, source: str, path: str) -> None:
        step = Step(action, self.here(source), self.there(path))
        if step not in self.after:
            self.after.append(step)


def _listed(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError:
        return []
