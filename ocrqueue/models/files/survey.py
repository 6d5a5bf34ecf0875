"""All files in a model directory, and which models need them."""

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
_NOTES = (".refs", ".lock")  # small files beside shared blobs, which are not counted because they come and go
_NOBODY = ""  # instead of a key: the file belongs to no model


@dataclass(frozen=True, slots=True)
class Surveyed:
    """One model with its files, their condition and its stamp."""

    found: Found
    files: tuple[ModelFile, ...]
    condition: Condition
    stamp: Stamp

    @property
    def revision(self) -> str:
        """The commit; for a folder a digest of the names, sizes and times of its files."""
        if self.found.kind == Kind.CACHE:
            return self.found.revision
        facts = "\0".join(f"{f.name}\0{f.size}\0{f.mtime_ns}" for f in self.files)
        return sha256(facts.encode("utf-8", "surrogateescape")).hexdigest()[:12]

    @property
    def size(self) -> int:
        """The bytes of its files, each file counted once."""
        return sum({f.inode: f.size for f in self.files if f.state in (FileState.OK, FileState.UNREADABLE)}.values())


@dataclass(frozen=True, slots=True)
class Survey:
    """The contents of a model directory at one moment."""

    models: tuple[Surveyed, ...]
    unknown: tuple[str, ...]  # names of entries that are not models; never changed
    sizes: dict[Inode, int]  # bytes of every file in the directory, without the trash
    holders: dict[Inode, frozenset[str]]  # keys of the models that need a file
    users: dict[str, frozenset[str]]  # keys of the models that read from a path

    @property
    def total(self) -> int:
        """The bytes of all files, each counted once, without the trash."""
        return sum(self.sizes.values())

    def freed_by(self, keys: Collection[str]) -> int:
        """The bytes of the files that no other model needs."""
        gone = set(keys)
        return sum(self.sizes[inode] for inode, who in self.holders.items() if who and who <= gone)


def survey(paths: DirectoryPaths, now: float, budget: Budget) -> Survey:
    """Survey the whole directory. Hashes that the budget allows are computed and stored. Raises OSError."""
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
    """Survey one model. Hashes that the budget allows are computed and stored. Raises OSError."""
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
    """The size of every file, and the models that need it.

    A file that no model reads counts for all models of the repository or folder that contains it.
    """
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
    """(entry of the directory, status) of each regular file below it, without `.ocr-queue`; links are not followed."""
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
    """The models that are revisions of the repository `top`."""
    return [model for model in models if model.found.top == top and model.found.kind == Kind.CACHE]
