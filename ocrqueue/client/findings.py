"""What the checks of `submit.py doctor` find."""

from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """How serious the result of a check is."""

    OK = "ok"
    NOTE = "note"  # harmless
    WARNING = "warn"  # the queue works, but badly
    WRONG = "wrong"  # must be corrected; the command's exit code is 4


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of a check."""

    level: Level
    text: str  # one line
