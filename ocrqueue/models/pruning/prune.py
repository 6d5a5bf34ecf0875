"""The prune: selecting the models to remove, and moving them to the trash."""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ocrqueue.errors import ModelDirectoryError
from ocrqueue.models.files.catalogue import Kind
from ocrqueue.models.files.checks import DAY
from ocrqueue.models.files.keep import read_keep
from ocrqueue.models.files.locks import locked, pull_key
from ocrqueue.models.files.paths import DirectoryPaths
from ocrqueue.models.files.stamps import read_stamp
from ocrqueue.models.files.survey import Survey, Surveyed
from ocrqueue.models.pruning.apply import apply
from ocrqueue.models.pruning.audit import Audit, LocalModel, Status
from ocrqueue.models.pruning.journal import Entry
from ocrqueue.models.pruning.removal import Removal, deletable
from ocrqueue.models.pruning.trash import Trash
from ocrqueue.models.settings import ModelSettings

_FULL_SHARE, _FULL_BYTES = 0.05, 10 * 10**9  # a disk is nearly full if less than both are free
FreeSpace = Callable[[Path], tuple[int, int]]  # (free, total) bytes of the disk that contains a folder


@dataclass(frozen=True, slots=True)
class Pruned:
    """The outcome for one model that the prune selected."""

    name: str  # as in `LocalModel`
    revision: str  # as in `LocalModel`
    status: Status
    reason: str  # why it was selected
    size: int  # bytes of its files
    moved: bool  # it was moved, or in a dry run would be moved
    entry: str | None = None  # id of its entry in the trash; None: a dry run, or it was not moved
    why_not: str | None = None  # why it was not moved; None: it was

    def to_json(self) -> dict[str, Any]:
        """The fields as a JSON object."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Pruning:
    """The outcome of a prune, or in a dry run what it would be."""

    dry_run: bool
    models: tuple[Pruned, ...]  # the models that were selected
    emptied: tuple[str, ...]  # ids of the entries that were deleted from the trash
    freed: int  # bytes by which the directory became smaller, without the trash
    over: int  # bytes by which it is still larger than OCR_MODEL_DIR_MAX_GB; 0: it is not, or there is no limit
    audit: Audit = field(repr=False)  # the audit that the selection is based on

    @property
    def moved(self) -> tuple[Pruned, ...]:
        """The models that were moved, or in a dry run would be."""
        return tuple(model for model in self.models if model.moved)


def free_space(folder: Path) -> tuple[int, int]:
    """(free, total) bytes of the disk that contains a folder."""
    usage = shutil.disk_usage(folder)
    return usage.free, usage.total


def is_nearly_full(free: int, total: int) -> bool:
    """Whether a disk with so many free and total bytes is nearly full."""
    return free < min(_FULL_SHARE * total, _FULL_BYTES)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A model that was selected for removal."""

    model: Surveyed
    judged: LocalModel  # its audit
    reason: str  # why it was selected


def select(survey: Survey, audit: Audit) -> list[Candidate]:
    """Select all prunable models, and above OCR_MODEL_DIR_MAX_GB the least recently used models of status CURRENT."""
    pairs = list(zip(survey.models, audit.models, strict=True))
    chosen = [Candidate(model, judged, judged.reason) for model, judged in pairs if judged.prunable]
    if audit.max_size is None:
        return chosen
    gone = {c.model.found.key for c in chosen}
    spare = [p for p in pairs if p[1].status == Status.CURRENT and not p[0].condition.leads_out]
    reachable = survey.total - survey.freed_by(gone | {model.found.key for model, _ in spare})
    if reachable > audit.max_size:
        return chosen  # the limit cannot be reached: no current model is removed in vain
    for model, judged in sorted(spare, key=lambda pair: pair[1].last_used or 0.0):
        if survey.total - survey.freed_by(gone) <= audit.max_size:
            break
        gone.add(model.found.key)
        chosen.append(Candidate(model, judged, "space is short, and it is the least recently used"))
    return chosen


class Pruner:
    """Moves models to the trash. The caller holds the lock of the directory."""

    def __init__(self, paths: DirectoryPaths, settings: ModelSettings, now: float, space: FreeSpace) -> None:
        self._paths = paths
        self._settings = settings
        self._now = now
        self._space = space
        self._trash = Trash(paths)

    def run(self, survey: Survey, audit: Audit, dry_run: bool) -> Pruning:
        """Delete expired entries of the trash, then move the selected models. Raises ModelDirectoryError."""
        emptied = tuple(self.empty(dry_run))
        # Folders first, because a folder may link to files of a repository that is removed too.
        candidates = sorted(select(survey, audit), key=lambda c: c.model.found.kind != Kind.FOLDER)
        removal = Removal(self._paths, survey, deletable(self._paths.root, [c.model for c in candidates]))
        gone: set[str] = set()
        models = [self._remove(removal, candidate, gone, dry_run) for candidate in candidates]
        freed = survey.freed_by(gone)
        over = max(0, survey.total - freed - audit.max_size) if audit.max_size is not None else 0
        return Pruning(dry_run, tuple(models), emptied, freed, over, audit)

    def empty(self, dry_run: bool) -> Iterator[str]:
        """Delete the entries older than OCR_TRASH_DAYS, or all if the disk is nearly full; yields their ids."""
        full = is_nearly_full(*self._space(self._paths.root))
        for entry in self._trash.entries():
            if full or self._now - entry.when >= self._settings.trash_days * DAY:
                if not dry_run:
                    self._trash.discard(entry.id)
                yield entry.id

    def _remove(self, removal: Removal, candidate: Candidate, gone: set[str], dry_run: bool) -> Pruned:
        model, judged = candidate.model, candidate.judged
        entry = removal.plan(model, judged, gone, self._now)
        why_not = entry if isinstance(entry, str) else None
        if isinstance(entry, Entry):
            why_not = self._cannot_link(entry) if dry_run else self._move(model, entry)
        if why_not is None:
            gone.add(model.found.key)
        id = entry.id if isinstance(entry, Entry) and why_not is None and not dry_run else None
        return Pruned(
            judged.name, judged.revision, judged.status, candidate.reason, judged.size, why_not is None, id, why_not
        )

    def _cannot_link(self, entry: Entry) -> str | None:
        """Why the files of an entry cannot be linked; None if they can. Makes a link and removes it again."""
        if not entry.before:
            return None
        probe = self._paths.trash / ".probe"
        probe.unlink(missing_ok=True)
        try:
            probe.hardlink_to(self._paths.root / entry.before[0].source)
        except OSError as e:
            return f"files that other models need cannot be linked here ({e.strerror})"
        probe.unlink()
        return None

    def _move(self, model: Surveyed, entry: Entry) -> str | None:
        """Move a model to the trash; returns why it was not moved, or None if it was."""
        with ExitStack() as stack:
            for key in (model.found.key, pull_key(model.found.name)):
                if not stack.enter_context(locked(self._paths.lock_file(key))):
                    return "it came into use during the prune"
            if self._came_into_use(model, entry):
                return "it came into use or onto the keep list during the prune"
            return self._do(entry)

    def _came_into_use(self, model: Surveyed, entry: Entry) -> bool:
        names = {model.found.name, model.found.key, f"{entry.name}@{entry.revision}"}
        return bool(names & read_keep(self._paths)) or read_stamp(self._paths, model.found.key) != model.stamp

    def _do(self, entry: Entry) -> str | None:
        try:
            self._trash.begin(entry)
            apply(self._paths, [*entry.before, entry.gate])
            why_not = "it no longer exists"
        except OSError as e:
            why_not = f"it cannot be moved ({e.strerror}: {e.filename})"
        if not os.path.lexists(self._paths.root / entry.gate.target):
            self._trash.discard(entry.id)
            return why_not
        finish(self._paths, self._trash, entry)
        return None


def finish(paths: DirectoryPaths, trash: Trash, entry: Entry) -> None:
    """Do the steps after the rename. Raises ModelDirectoryError; the next prune or restore tries again."""
    try:
        apply(paths, entry.after)
        paths.stamp_file(entry.key).unlink(missing_ok=True)
        trash.settle(entry)
    except OSError as e:
        raise ModelDirectoryError(
            f"{entry.name}: its files cannot be moved to the trash ({e.strerror}: {e.filename}): "
            "give this user write permission; the next prune continues"
        ) from e
