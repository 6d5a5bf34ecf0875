"""The journal of a pruned model: the steps that move it to the trash, and its progress."""

import itertools
import os
import uuid
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from ocrqueue.models.files.atomic import is_size, is_time

_counter = itertools.count()


class EntryState(StrEnum):
    """The progress of an entry of the trash."""

    MOVING = "moving"  # the model is being moved to the trash
    TRASHED = "trashed"  # it is in the trash
    RESTORING = "restoring"  # it is being moved back


class Action(StrEnum):
    """What a step does with `source` and `target`."""

    LINK = "link"  # make `target` a hard link to `source`
    MOVE = "move"  # rename `source` to `target`
    BLOB = "blob"  # move the blob `source`, or link it if a revision in the directory needs it
    REPLACE = "replace"  # rename `source` over `target`
    UNLINK = "unlink"  # remove the link `source` to a shared file, whose bytes are in `target`
    PAYLOAD = "payload"  # remove the shared file `source` if no repository links to it; its bytes are in `target`


@dataclass(frozen=True, slots=True)
class Step:
    """One change of the model directory; doing it twice is the same as once. Paths are relative to the directory."""

    action: Action
    source: str  # existing path
    target: str  # path in the trash, or of a restored file

    @classmethod
    def parse(cls, record: dict[str, str]) -> "Step":
        """Read a step from a JSON object. Raises KeyError, TypeError or ValueError if it is not one."""
        return cls(Action(record["action"]), os.fspath(record["source"]), os.fspath(record["target"]))


@dataclass(frozen=True, slots=True)
class Entry:
    """A model in the trash, or one that is being moved there or back."""

    id: str  # name of its folder in the trash
    state: EntryState
    name: str  # of the model
    revision: str  # of the model
    key: str  # of its locks and stamp
    when: float  # when it was pruned, seconds since 1970
    status: str  # its status before
    reason: str  # of that status
    size: int  # bytes of its files
    stamp: dict[str, Any]  # its stamp before
    before: tuple[Step, ...]  # steps that do not change the model in the directory
    gate: Step  # the rename that removes the model from the directory
    after: tuple[Step, ...]  # steps that move the files that no other model needs

    @classmethod
    def parse(cls, id: str, record: dict[str, Any]) -> "Entry":
        """Read an entry from a JSON object. Raises KeyError, TypeError or ValueError if it is not one."""
        steps: dict[str, Any] = {part: tuple(map(Step.parse, record[part])) for part in ("before", "after")}
        known = {k: record[k] for k in ("name", "revision", "key", "when", "status", "reason", "size", "stamp")}
        texts = ("name", "revision", "key", "status", "reason")
        if not (is_time(known["when"]) and is_size(known["size"]) and isinstance(known["stamp"], dict)):
            raise ValueError("its time, size or stamp is none")
        if not all(isinstance(known[name], str) for name in texts):
            raise TypeError("a text is none")
        return cls(id=id, state=EntryState(record["state"]), **known, gate=Step.parse(record["gate"]), **steps)

    def to_json(self) -> dict[str, Any]:
        """The fields as a JSON object, without the id."""
        return {k: v for k, v in asdict(self).items() if k != "id"}


def new_id(now: float) -> str:
    """The id of a new entry. Ids sort by time, and within one prune by their order."""
    return f"{datetime.fromtimestamp(now, UTC):%Y%m%dT%H%M%S}-{next(_counter):04}-{uuid.uuid4().hex[:8]}"
