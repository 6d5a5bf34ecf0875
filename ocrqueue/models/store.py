"""`ModelStore`, the Python interface of the model directory: list, find, pull, hold, audit, prune, restore."""

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from ocrqueue import settings as shared_settings
from ocrqueue.errors import ModelDirectoryError, ModelUnavailable
from ocrqueue.models.files.catalogue import catalogue, find_given, newest_first, split_name
from ocrqueue.models.files.hashes import Budget
from ocrqueue.models.files.keep import add_keep, read_keep, remove_keep
from ocrqueue.models.files.locks import directory_id, directory_lock, is_locked, wait_for_lock
from ocrqueue.models.files.paths import DirectoryPaths
from ocrqueue.models.files.stamps import write_stamp
from ocrqueue.models.files.survey import Survey, Surveyed, look, survey
from ocrqueue.models.pruning.audit import Audit, LocalModel, Needed, audit_of
from ocrqueue.models.pruning.journal import Entry
from ocrqueue.models.pruning.prune import FreeSpace, Pruner, Pruning, free_space, select
from ocrqueue.models.pruning.restore import recover, restore
from ocrqueue.models.pruning.trash import Trash
from ocrqueue.models.settings import ModelSettings, model_settings

_LOCK_SECONDS = 10.0  # how long `hold` waits for a prune, which locks a model for a moment
_QUICK = Budget(None)  # no file is read in full


@dataclass(slots=True)
class Held:
    """A model that this process uses until `release` is called or the process ends. It is not pruned meanwhile."""

    name: str  # "organisation/model", or the folder's name
    revision: str  # commit; for a folder a digest of the names, sizes and times of its files
    path: Path  # absolute path of the folder with its files
    key: str  # identifies the model in the names of locks and stamps
    _descriptor: int | None  # file descriptor that holds the lock; None: released

    def release(self) -> None:
        """End the use of the model. A second call does nothing."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.release()


class ModelStore:
    """One model directory. The constructor reads and writes nothing on disk.

    Without `settings` it uses those of the environment, like workers and the command line. Tests replace `clock`
    (seconds since 1970) and `space` (free and total bytes of the disk).
    """

    def __init__(
        self,
        settings: ModelSettings | None = None,
        clock: Callable[[], float] = time.time,
        space: FreeSpace = free_space,
    ) -> None:
        self.settings = settings or model_settings(shared_settings.shared().data_dir)
        self.paths = DirectoryPaths(self.settings.folder)
        self._clock = clock
        self._space = space

    @property
    def id(self) -> str:
        """The id of the directory, the same on every machine that mounts it. Raises ModelDirectoryError."""
        return directory_id(self.paths)

    # -- reading -----------------------------------------------------------------------------------------------------
    def list_local(self, needed: Needed = ()) -> list[LocalModel]:
        """All models of the directory sorted by name, with their status. Writes nothing.

        `needed`: (model, revision) of open jobs. Raises ModelDirectoryError if the keep list cannot be read.
        """
        return list(self._audit(needed, _QUICK)[1].models)

    def preview(self, needed: Needed = ()) -> tuple[Audit, Mapping[tuple[str, str], str]]:
        """An audit that reads no file in full, and why the next prune selects models, by name and revision.

        Writes nothing. `needed` and errors as in `list_local`.
        """
        found, audit = self._audit(needed, _QUICK)
        chosen = select(found, audit)
        return audit, {(one.judged.name, one.judged.revision): one.reason for one in chosen}

    def get_local_path(self, name: str) -> Path:
        """The absolute path of the folder with a model's files. `name` is NAME or NAME@REVISION.

        Of several revisions this is the one that refs/main names, or if that is incomplete the newest complete one.
        Raises ModelUnavailable: `model_missing` if there is none, `model_broken` if none is complete.
        """
        return self._resolve(name).found.path

    def audit(self, needed: Needed = (), verify_after: float | None = None, seconds: float | None = None) -> Audit:
        """Audit all models, and stamp those that are loaded as used now.

        `verify_after`: read files in full whose last reading is so many seconds ago (0: all files; None: no file, only
        earlier results count). `seconds`: stop reading after so long (None: no limit). Raises ModelDirectoryError.
        """
        self.paths.prepare()
        _, audit = self._audit(needed, Budget(verify_after, seconds, time.monotonic()))
        self._stamp_loaded()
        return audit

    def _audit(self, needed: Needed, budget: Budget) -> tuple[Survey, Audit]:
        started, now = time.monotonic(), self._clock()
        found = survey(self.paths, now, budget)
        trash = Trash(self.paths).size()
        return found, audit_of(self.paths, self.settings, found, needed, trash, now, started)

    def _stamp_loaded(self) -> None:
        for found in catalogue(self.paths.root)[0]:
            if is_locked(self.paths.lock_file(found.key)):
                self._stamp(found.key, used=self._clock())

    def _stamp(self, key: str, **times: float) -> None:
        try:
            write_stamp(self.paths, key, **times)
        except OSError as e:
            raise ModelDirectoryError(f"{self.paths.stamps} cannot be written: {e.strerror}; correct this") from e

    # -- using -------------------------------------------------------------------------------------------------------
    def hold(self, name: str) -> Held:
        """Lock a model for use: it is not pruned until the result is released or this process ends.

        Raises ModelUnavailable: `model_missing` if there is none, `model_broken` if it is not complete; and
        ModelDirectoryError if it cannot be locked.
        """
        self.paths.prepare()
        model = self._resolve(name)
        descriptor = wait_for_lock(self.paths.lock_file(model.found.key), exclusive=False, seconds=_LOCK_SECONDS)
        try:
            if descriptor is None or not model.found.path.is_dir():
                raise ModelUnavailable(
                    f"the model {name} was pruned a moment ago: `submit.py models restore {name}` restores it"
                )
            self._stamp(model.found.key, used=self._clock())
        except BaseException:
            if descriptor is not None:
                os.close(descriptor)
            raise
        return Held(model.found.name, model.revision, model.found.path, model.found.key, descriptor)

    def _resolve(self, given: str) -> Surveyed:
        name, models = find_given(self.paths.root, given)
        try:
            looked = [look(self.paths, found, self._clock(), _QUICK) for found in newest_first(models)]
        except FileNotFoundError:
            looked = []  # pruned in this moment
        complete = next((model for model in looked if not model.condition.damage), None)
        if complete is None and looked:
            damage = looked[0].condition.damage
            more = f" (and {len(damage) - 1} more)" if len(damage) > 1 else ""
            raise ModelUnavailable(
                f"the model {given} in {self.paths.root} is damaged: {damage[0]}{more}; "
                f"`submit.py models pull {name}` repairs models from the hub",
                "model_broken",
            )
        if complete is None:
            raise ModelUnavailable(
                f"no model {given} in {self.paths.root}: `submit.py models list` lists all models, "
                f"`submit.py models pull {name}` downloads it"
            )
        return complete

    def pull(self, name: str) -> Path:
        """Download a model (NAME or NAME@REVISION) from the Hugging Face hub and check it. Returns its path.

        An interrupted pull is continued. Raises InvalidOptions if the name is invalid; ModelUnavailable if the hub has
        no such model or cannot be reached, or the downloaded files are damaged; ModelDirectoryError.
        """
        from ocrqueue.models.pull import pull

        self.paths.prepare()
        return pull(self.paths, *split_name(name), self._clock()).path

    # -- keeping -----------------------------------------------------------------------------------------------------
    def keep(self, name: str) -> bool:
        """Add a model (NAME or NAME@REVISION) to the keep list, so that it is never pruned.

        Returns False if it is on the list already. Raises ModelUnavailable if there is no such model,
        ModelDirectoryError.
        """
        self.paths.prepare()
        _, known = find_given(self.paths.root, name)
        if not known:
            raise ModelUnavailable(f"no model {name} in {self.paths.root}: `submit.py models list` lists all models")
        with directory_lock(self.paths):
            return add_keep(self.paths, name if known[0].name == name else known[0].key)

    def unkeep(self, name: str) -> bool:
        """Remove a model from the keep list: an entry as it stands there, or NAME@REVISION as `keep` takes it.

        Returns False if it is not on the list. Raises ModelDirectoryError.
        """
        self.paths.prepare()
        _, known = find_given(self.paths.root, name)
        entries = [name, *(found.key for found in known if found.name != name)]
        with directory_lock(self.paths):
            return any(remove_keep(self.paths, entry) for entry in entries)

    def kept(self) -> frozenset[str]:
        """The names on the keep list. Raises ModelDirectoryError."""
        return read_keep(self.paths)

    # -- pruning -----------------------------------------------------------------------------------------------------
    def prune(self, dry_run: bool = False, needed: Needed = ()) -> Pruning:
        """Move prunable models to the trash, whatever OCR_PRUNE is. `dry_run` only returns what would be moved.

        First the work of a process that was killed is completed or undone. `needed`: (model, revision) of open jobs.
        Raises ModelDirectoryError.
        """
        self.paths.prepare()
        with directory_lock(self.paths):
            if not dry_run:
                recover(self.paths, self._clock())
            found, audit = self._audit(needed, _QUICK)
            pruner = Pruner(self.paths, self.settings, self._clock(), self._space)
            return pruner.run(found, audit, dry_run)

    def restore(self, name: str) -> Entry:
        """Restore a model from the trash. `name` is NAME, NAME@REVISION or the id of an entry.

        Of several entries this is the one pruned last. Raises ModelUnavailable if the trash has no such model,
        ModelDirectoryError if the directory has the model again, or it cannot be moved.
        """
        self.paths.prepare()
        with directory_lock(self.paths):
            recover(self.paths, self._clock())
            return restore(self.paths, name, self._clock())

    def trashed(self) -> list[Entry]:
        """The entries of the trash, oldest first."""
        return Trash(self.paths).entries()
