"""The model directory, for Python: list, find, hold, audit, prune, restore."""

import os
import time
from collections.abc import Callable
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
from ocrqueue.models.pruning.prune import FreeSpace, Pruner, Pruning, free_space
from ocrqueue.models.pruning.restore import recover, restore
from ocrqueue.models.pruning.trash import Trash
from ocrqueue.models.settings import ModelSettings, model_settings

_LOCK_SECONDS = 10.0  # a prune holds a model's lock for a moment
_QUICK = Budget(None)


@dataclass(slots=True)
class Held:
    """A model that is in use by this process until `release` is called, or the process ends."""

    name: str
    revision: str  # commit; of a folder a digest of its files' names, sizes and times
    path: Path  # of its files, absolute
    key: str
    _descriptor: int | None  # holds the lock

    def release(self) -> None:
        """No longer in use; twice is fine."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.release()


class ModelStore:
    """One model directory. Cheap to make: nothing is read or written before it is asked for.

    Without settings it takes those of the environment, as workers and the command line do. `clock` and `space` stand
    in for the time and the disk's free space, for tests.
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
        """The directory's own id, the same on every machine that mounts it. Raises ModelDirectoryError."""
        return directory_id(self.paths)

    # -- looking -----------------------------------------------------------------------------------------------------
    def list_local(self, needed: Needed = ()) -> list[LocalModel]:
        """All models of the directory by name, with their status; writes nothing.

        `needed`: (model, revision) of open jobs. Raises ModelDirectoryError where the keep list cannot be read.
        """
        return list(self._audit(needed, _QUICK)[1].models)

    def get_local_path(self, name: str) -> Path:
        """The absolute path of a model's files, for other tools; `name` may be NAME@REVISION.

        Of several revisions it is the one refs/main names, or where that is incomplete the newest that is complete.
        Raises ModelUnavailable: `model_missing` where there is none, `model_broken` where none is complete.
        """
        return self._resolve(name).found.path

    def audit(self, needed: Needed = (), verify_after: float | None = None, seconds: float | None = None) -> Audit:
        """Look at every model; what is in use is stamped as used.

        `verify_after`: files last read in full so many seconds ago are read again (0: all; None: none are read, and
        what earlier readings found still counts), for `seconds` at most. Raises ModelDirectoryError.
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
            raise ModelDirectoryError(f"{self.paths.stamps} cannot be written: {e.strerror}; free some space") from e

    # -- using -------------------------------------------------------------------------------------------------------
    def hold(self, name: str) -> Held:
        """Take a model into use: it is not pruned until the result is released, or this process ends.

        Raises ModelUnavailable: `model_missing` where it is not there (any more), `model_broken` where it is not
        complete; ModelDirectoryError where locks cannot be made.
        """
        self.paths.prepare()
        model = self._resolve(name)
        descriptor = wait_for_lock(self.paths.lock_file(model.found.key), exclusive=False, seconds=_LOCK_SECONDS)
        try:
            if descriptor is None or not model.found.path.is_dir():
                raise ModelUnavailable(
                    f"the model {name} was pruned a moment ago: `submit.py models restore {name}` brings it back"
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
            looked = []  # pruned while we looked
        complete = next((model for model in looked if not model.condition.damage), None)
        if complete is None and looked:
            damage = looked[0].condition.damage
            more = f" (and {len(damage) - 1} more)" if len(damage) > 1 else ""
            raise ModelUnavailable(
                f"the model {given} in {self.paths.root} is damaged: {damage[0]}{more}; "
                f"`submit.py models pull {name}` mends what comes from the hub",
                "model_broken",
            )
        if complete is None:
            raise ModelUnavailable(
                f"no model {given} in {self.paths.root}: `submit.py models list` shows what is there, "
                f"`submit.py models pull {name}` fetches it"
            )
        return complete

    def pull(self, name: str) -> Path:
        """Fetch a model (NAME or NAME@REVISION) from the Hugging Face hub, check it in full, and give its path.

        An earlier pull that was interrupted goes on. Raises InvalidOptions for a name that cannot be one,
        ModelUnavailable where the hub has none, cannot be reached, or what came is damaged, ModelDirectoryError.
        """
        from ocrqueue.models.pull import pull

        self.paths.prepare()
        return pull(self.paths, *split_name(name), self._clock()).path

    # -- keeping -----------------------------------------------------------------------------------------------------
    def keep(self, name: str) -> bool:
        """Never prune this model (NAME or NAME@REVISION); False where it is on the list already.

        Raises ModelUnavailable where there is no such model, ModelDirectoryError.
        """
        self.paths.prepare()
        _, known = find_given(self.paths.root, name)
        if not known:
            raise ModelUnavailable(f"no model {name} in {self.paths.root}: `submit.py models list` shows what is there")
        with directory_lock(self.paths):
            return add_keep(self.paths, name if known[0].name == name else known[0].key)

    def unkeep(self, name: str) -> bool:
        """Take a model off the keep list; False where it is not on it. Raises ModelDirectoryError."""
        self.paths.prepare()
        with directory_lock(self.paths):
            return remove_keep(self.paths, name)

    def kept(self) -> frozenset[str]:
        """The names on the keep list. Raises ModelDirectoryError."""
        return read_keep(self.paths)

    # -- pruning -----------------------------------------------------------------------------------------------------
    def prune(self, dry_run: bool = False, needed: Needed = ()) -> Pruning:
        """Move what is prunable to the trash, whatever OCR_PRUNE says; `dry_run` only tells what would go.

        What an earlier, killed run began is ended or undone first. `needed`: (model, revision) of open jobs.
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
        """Bring a model back from the trash, whole; of several of this name the one pruned last.

        Raises ModelUnavailable where the trash has none, ModelDirectoryError where one is there already.
        """
        self.paths.prepare()
        with directory_lock(self.paths):
            recover(self.paths, self._clock())
            return restore(self.paths, name, self._clock())

    def trashed(self) -> list[Entry]:
        """What can be restored, oldest first."""
        return Trash(self.paths).entries()
