"""The journal of a pruned model: the steps that move it, and how far they are."""

import itertools
import uuid
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

_counter = itertools.count()


class EntryState(StrEnum):
    """How far an entry of the trash is."""

    MOVING = "moving"  # on its way into the trash
    TRASHED = "trashed"
    RESTORING = "restoring"  # on its way back


class Action(StrEnum):
    """What a step does with `source` and `target`."""

    LINK = "link"  # make `target` a hard link to `source`
    MOVE = "move"  # rename `source` to `target`
    BLOB = "blob"  # move a blob, or link it where a revision that is there now needs it
    REPLACE = "replace"  # rename `source` over `target`
    UNLINK = "unlink"  # remove the repository's link `source` to a shared file, kept as `target`
    PAYLOAD = "payload"  # remove the shared file `source` where no repository links to it; kept as `target`


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to do; doing it twice is the same as once. Paths are relative to the model directory."""

    action: Action
    source: str
    target: str = ""

    @classmethod
    def parse(cls, record: dict[str, str]) -> "Step":
        """From JSON. Raises KeyError, TypeError or ValueError where it is no step."""
        return cls(Action(record["action"]), record["source"], record["target"])


@dataclass(frozen=True, slots=True)
class Entry:
    """A model in the trash, or on its way there or back."""

    id: str  # the folder's name
    state: EntryState
    name: str
    revision: str
    key: str
    when: float  # seconds since 1970
    status: str  # that it had
    reason: str
    size: int
    stamp: dict[str, Any]
    before: tuple[Step, ...]  # nothing is seen of these
    gate: Step  # with this rename the model has left the directory
    after: tuple[Step, ...]

    @classmethod
    def parse(cls, id: str, record: dict[str, Any]) -> "Entry":
        """From JSON. Raises KeyError, TypeError or ValueError where it is no entry."""
        steps: dict[str, Any] = {part: tuple(map(Step.parse, record[part])) for part in ("before", "after")}
        known = {k: record[k] for k in ("name", "revision", "key", "when", "status", "reason", "size", "stamp")}
        return cls(id=id, state=EntryState(record["state"]), **known, gate=Step.parse(record["gate"]), **steps)

    def to_json(self) -> dict[str, Any]:
        """Ready for JSON."""
        return {k: v for k, v in asdict(self).items() if k != "id"}


def new_id(now: float) -> str:
    """A name for a new entry; names sort by time, and by the order in which a prune makes them."""
    return f"{datetime.fromtimestamp(now, UTC):%Y%m%dT%H%M%S}-{next(_counter):04}-{uuid.uuid4().hex[:8]}"
