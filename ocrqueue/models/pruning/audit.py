"""The audit: the status of each model, whether a prune moves it, and its problems."""

import os
import time
from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from ocrqueue.models.files.catalogue import Found, Kind, newest_first, split_name
from ocrqueue.models.files.checks import DAY
from ocrqueue.models.files.keep import read_keep
from ocrqueue.models.files.locks import is_locked, pull_key
from ocrqueue.models.files.paths import DirectoryPaths
from ocrqueue.models.files.survey import Survey, Surveyed
from ocrqueue.models.settings import ModelSettings

Needed = Collection[tuple[str, str]]  # (model, revision) of open jobs


class Status(StrEnum):
    """The status of a model. If several apply, it is the first of them."""

    IN_USE = "IN_USE"  # a process has it loaded or pulls it, or OCR_MODEL or an open job names it
    KEPT = "KEPT"  # it is on the keep list
    OLD = "OLD"  # its name has a prefix of OCR_OLD_PREFIXES, or refs/main names another complete revision
    FOREIGN = "FOREIGN"  # another tool pulled it, and no worker ever loaded it
    BROKEN = "BROKEN"  # incomplete or damaged
    UNUSED = "UNUSED"  # not loaded for `ModelSettings.unused_days`
    CURRENT = "CURRENT"  # none of the above


@dataclass(frozen=True, slots=True)
class LocalModel:
    """The audit of one model."""

    name: str  # "organisation/model", or the folder's name
    kind: Kind
    revision: str  # commit; for a folder a digest of the names, sizes and times of its files
    path: str  # absolute path of the folder with its files
    size: int  # bytes, each file counted once
    files: int  # number of files
    last_used: float | None  # when it was pulled, restored or last loaded, seconds since 1970; None: never
    status: Status
    reason: str  # why it has this status
    prunable: bool  # a prune moves it even if there is enough space
    problems: tuple[str, ...]  # what is wrong with its files; any status may have problems

    def to_json(self) -> dict[str, Any]:
        """The fields as a JSON object; `last_used` in ISO 8601, UTC."""
        used = datetime.fromtimestamp(self.last_used, UTC).isoformat(timespec="seconds") if self.last_used else None
        return {**asdict(self), "problems": list(self.problems), "last_used": used}


@dataclass(frozen=True, slots=True)
class Audit:
    """The audit of a model directory."""

    directory: str  # absolute path
    when: float  # when the audit was made, seconds since 1970
    seconds: float  # how long the audit took
    models: tuple[LocalModel, ...]  # sorted by name
    unknown: tuple[str, ...]  # names of entries that are not models; never changed
    size: int  # bytes of all files, each counted once, without the trash
    trash: int  # bytes that emptying the trash would free
    max_size: int | None  # OCR_MODEL_DIR_MAX_GB in bytes; None: no limit

    @property
    def by_status(self) -> dict[str, int]:
        """The number of models of each status, without statuses that no model has."""
        counts = Counter(model.status for model in self.models)
        return {status: counts[status] for status in Status if counts[status]}

    def to_json(self) -> dict[str, Any]:
        """The fields as a JSON object; `when` in ISO 8601, UTC."""
        return {
            "directory": self.directory,
            "when": datetime.fromtimestamp(self.when, UTC).isoformat(timespec="seconds"),
            "seconds": round(self.seconds, 3),
            "size": self.size,
            "trash": self.trash,
            "max_size": self.max_size,
            "by_status": self.by_status,
            "models": [model.to_json() for model in self.models],
            "unknown": list(self.unknown),
        }


class Judge:
    """Decides the status of each model of a survey."""

    def __init__(
        self, paths: DirectoryPaths, settings: ModelSettings, survey: Survey, needed: Needed, now: float
    ) -> None:
        self._paths = paths
        self._settings = settings
        self._survey = survey
        self._needed = frozenset(needed)
        self._keep = read_keep(paths)
        self._wanted = wanted_keys(survey, settings.wanted)
        self._now = now

    def judge(self, model: Surveyed) -> LocalModel:
        """The audit of one model. The rules are tried in order of precedence."""
        rules: tuple[Callable[[Surveyed], tuple[Status, str] | None], ...] = (
            self._in_use, self._kept, self._old, self._foreign, self._broken, self._unused,
        )  # fmt: skip
        judged = (found for rule in rules if (found := rule(model)))
        status, reason = next(judged, (Status.CURRENT, "complete, and used"))
        return LocalModel(
            name=model.found.name,
            kind=model.found.kind,
            revision=model.revision,
            path=str(model.found.path),
            size=model.size,
            files=len(model.files),
            last_used=model.stamp.last,
            status=status,
            reason=reason,
            prunable=self._prunable(model, status),
            problems=(*model.condition.damage, *model.condition.leads_out),
        )

    def _in_use(self, model: Surveyed) -> tuple[Status, str] | None:
        found = model.found
        if is_locked(self._paths.lock_file(found.key)):
            return Status.IN_USE, "a process has it loaded"
        if is_locked(self._paths.lock_file(pull_key(found.name))):
            return Status.IN_USE, "it is being pulled"
        if found.key in self._wanted:
            return Status.IN_USE, "OCR_MODEL names it"
        if any(name == found.name and revision in (found.revision, model.revision) for name, revision in self._needed):
            return Status.IN_USE, "an open job needs it"
        return None

    def _kept(self, model: Surveyed) -> tuple[Status, str] | None:
        names = {model.found.name, model.found.key, f"{model.found.name}@{model.revision}"}
        return (Status.KEPT, "it is on the keep list") if names & self._keep else None

    def _old(self, model: Surveyed) -> tuple[Status, str] | None:
        found = model.found
        if found.is_link:
            return None
        for prefix in self._settings.old_prefixes:
            if found.name.startswith(prefix):
                return Status.OLD, f"its name begins with {prefix}"
        if model.stamp.ours and found.main and found.main != found.revision and self._complete(found, found.main):
            return Status.OLD, f"refs/main names {found.main[:12]}, which is complete"
        return None

    def _complete(self, found: Found, revision: str) -> bool:
        return any(
            m.found.top == found.top and m.found.revision == revision and not m.condition.damage
            for m in self._survey.models
        )

    def _foreign(self, model: Surveyed) -> tuple[Status, str] | None:
        if model.found.is_link:
            return Status.FOREIGN, "it is a link to a folder elsewhere"
        return None if model.stamp.ours else (Status.FOREIGN, "OCR Queue neither pulled nor loaded it")

    def _broken(self, model: Surveyed) -> tuple[Status, str] | None:
        if not model.condition.damage:
            return None
        download = "; a download may be in progress" if model.condition.downloading else ""
        return Status.BROKEN, f"incomplete or damaged{download}"

    def _unused(self, model: Surveyed) -> tuple[Status, str] | None:
        idle = self._now - (model.stamp.last or 0.0)
        days = self._settings.unused_days
        return (Status.UNUSED, f"not loaded for {idle / DAY:.0f} days") if idle > days * DAY else None

    def _prunable(self, model: Surveyed, status: Status) -> bool:
        if model.condition.leads_out or model.found.is_link:
            return False
        if status == Status.BROKEN:
            return self._now - model.condition.changed > DAY and not model.condition.downloading
        return status in (Status.OLD, Status.UNUSED)


def wanted_keys(survey: Survey, wanted: str | None) -> frozenset[str]:
    """The keys of the models that OCR_MODEL names.

    Without a revision this is the revision that workers load if it is complete, otherwise all revisions of that name.
    """
    if not wanted:
        return frozenset()
    if wanted.startswith("/"):  # the path of a folder
        real = os.path.realpath(wanted)
        return frozenset(m.found.key for m in survey.models if os.path.realpath(m.found.path) == real)
    name, revision = split_name(wanted, {m.found.name for m in survey.models})
    models = [m for m in survey.models if m.found.name == name]
    if revision:
        return frozenset(m.found.key for m in models if m.found.revision.startswith(revision))
    first = next((f for f in newest_first(m.found for m in models) if f.main in (None, f.revision)), None)
    complete = {m.found.key for m in models if not m.condition.damage}
    if first and first.key in complete:
        return frozenset({first.key})
    return frozenset(m.found.key for m in models)


def audit_of(
    paths: DirectoryPaths,
    settings: ModelSettings,
    found: Survey,
    needed: Needed,
    trash: int,
    now: float,
    started: float,
) -> Audit:
    """The audit of a survey. `trash`: bytes of the trash; `started`: when the survey began, on the monotonic clock."""
    judge = Judge(paths, settings, found, needed, now)
    models = tuple(judge.judge(model) for model in found.models)
    seconds = time.monotonic() - started
    return Audit(str(paths.root), now, seconds, models, found.unknown, found.total, trash, settings.max_bytes)
