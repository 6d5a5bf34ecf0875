"""The last line after many documents: how many were read, and which were not."""

from collections.abc import Sequence
from dataclasses import dataclass

READ = "read"
_SHOWN = 5  # documents of a kind that are named


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one document."""

    name: str
    kind: str  # READ, or what else is said of it, such as "failed"
    is_poor: bool = False  # pages of it were poorly read


def summary(outcomes: Sequence[Outcome]) -> str:
    """A line such as "40 read, 2 of them poorly: a.pdf, b.pdf; 1 failed: c.pdf"."""
    kinds = dict.fromkeys([READ, *(outcome.kind for outcome in outcomes)])
    named = {kind: [outcome.name for outcome in outcomes if outcome.kind == kind] for kind in kinds}
    poor = [outcome.name for outcome in outcomes if outcome.is_poor]
    read = f"{len(named.pop(READ))} {READ}" + (f", {len(poor)} of them poorly: {_some(poor)}" if poor else "")
    return "; ".join([read, *(f"{len(names)} {kind}: {_some(names)}" for kind, names in named.items())])


def _some(names: Sequence[str]) -> str:
    more = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {more} more" if more > 0 else "")
