"""All that lies in a model directory, and which models need which bytes."""

import os
import stat
from collections import defaultdict
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from ocrqueue.models.files.catalogue import Found, Kind, catalogue
from ocrqueue.models.files.checks import Condition, check
from ocrqueue.models.files.contents import FileState, ModelFile, contents
from ocrqueue.models.files.hashes import Budget, Hashes
from ocrqueue.models.files.paths import STATE, DirectoryPaths
from ocrqueue.models.files.stamps import Stamp, read_stamp

Inode = tuple[int, int]
_NOTES = (".refs", ".lock")  # of the store that repositories share: a few bytes that come and go
_NOBODY = ""  # holds what belongs to no model


@dataclass(frozen=True, slots=True)
class Surveyed:
    """A model, its files and their condition."""

    found: Found
    files: tuple[ModelFile, ...]
    condition: Condition
    stamp: Stamp

    @property
    def revision(self) -> str:
        """The commit; of a folder a digest that changes with its files."""
        if self.found.kind == Kind.CACHE:
            return self.found.revision
        told = "\0".join(f"{f.name}\0{f.size}\0{f.mtime_ns}" for f in self.files)
        return sha256(told.encode("utf-8", "surrogateescape")).hexdigest()[:12]

    @property
    def size(self) -> int:
        """Bytes of its files, each counted once."""
        return sum({f.inode: f.size for f in self.files if f.state in (FileState.OK, FileState.UNREADABLE)}.values())


@dataclass(frozen=True, slots=True)
class Survey:
    """A model directory as it was at one moment."""

    models: tuple[Surveyed, ...]
    unknown: tuple[str, ...]  # entries that are no models; never touched
    sizes: dict[Inode, int]  # of every file in the directory, trash not counted
    holders: dict[Inode, frozenset[str]]  # keys of the models that need a file's bytes
    users: dict[str, frozenset[str]]  # keys of the models that read from a path

    @property
    def total(self) -> int:
        """Bytes of all files, each counted once, trash not counted."""
        return sum(self.sizes.values())

    def freed_by(self, keys: Collection[str]) -> int:
        """Bytes that go when these models go."""
        gone = set(keys)
        return sum(self.sizes[inode] for inode, who in self.holders.items() if who and who <= gone)


def survey(paths: DirectoryPaths, now: float, budget: Budget) -> Survey:
    """Look at everything; the hashes read within the budget are remembered."""
    founds, unknown = catalogue(paths.root)
    hashes = Hashes(paths, now)
    models = tuple(_look(paths, found, hashes, budget, now) for found in founds)
    if budget.after is not None:
        hashes.save()
    sizes, holders = _weigh(paths.root, models)
    users: dict[str, set[str]] = defaultdict(set)
    for model in models:
        for file in model.files:
            users[file.real].add(model.found.key)
    return Survey(models, tuple(unknown), sizes, holders, {k: frozenset(v) for k, v in users.items()})


def look(paths: DirectoryPaths, found: Found, now: float, budget: Budget) -> Surveyed:
    """Look at one model; the hashes read are remembered."""
    hashes = Hashes(paths, now)
    model = _look(paths, found, hashes, budget, now)
    if budget.after is not None:
        hashes.save()
    return model


def _look(paths: DirectoryPaths, found: Found, hashes: Hashes, budget: Budget, now: float) -> Surveyed:
    files = tuple(contents(found, paths.root))
    stamp = read_stamp(paths, found.key)
    condition = check(found, files, stamp.pulled is not None, now)
    if wrong := hashes.problems(found, files, budget):
        condition = Condition(
            (*condition.damage, *wrong), condition.leads_out, condition.changed, condition.downloading
        )
    return Surveyed(found, files, condition, stamp)


def _weigh(root: Path, models: tuple[Surveyed, ...]) -> tuple[dict[Inode, int], dict[Inode, frozenset[str]]]:
    """Every file's size, and who needs it: the models that read it, else all of the repository it lies in."""
    sizes: dict[Inode, int] = {}
    holders: dict[Inode, set[str]] = defaultdict(set)
    for model in models:
        for file in model.files:
            holders[file.inode].add(model.found.key)
    of_top: dict[str, set[str]] = defaultdict(set)
    for model in models:
        of_top[model.found.top.name].add(model.found.key)
    for top, about in _all_files(root):
        inode = (about.st_dev, about.st_ino)
        sizes[inode] = about.st_size
        if inode not in holders:
            holders[inode] = set(of_top.get(top) or {_NOBODY})
    return sizes, {inode: frozenset(holders[inode]) for inode in sizes}


def _all_files(root: Path) -> Iterator[tuple[str, os.stat_result]]:
    """(entry of the directory, status) of each regular file below it; links are not followed, our own left out."""
    try:
        with os.scandir(root) as entries:
            tops = [entry for entry in entries if entry.name != STATE]
    except FileNotFoundError:
        return
    for top in tops:
        in_store = top.name == "blobs"
        yield from ((top.name, about) for name, about in _regular(top) if not (in_store and name.endswith(_NOTES)))


def _regular(entry: "os.DirEntry[str]") -> Iterator[tuple[str, os.stat_result]]:
    try:
        if entry.is_dir(follow_symlinks=False):
            with os.scandir(entry.path) as entries:
                for below in entries:
                    yield from _regular(below)
        elif stat.S_ISREG((about := entry.stat(follow_symlinks=False)).st_mode):
            yield entry.name, about
    except OSError:
        return


def revisions_of(models: Collection[Surveyed], top: Path) -> list[Surveyed]:
    """The revisions that lie in one repository."""
    return [model for model in models if model.found.top == top and model.found.kind == Kind.CACHE]
