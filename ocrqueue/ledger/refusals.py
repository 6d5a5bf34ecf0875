"""Why the ledger gives no claim now, though there is something to do."""

from typing import Any


class LastTry(Exception):
    """Raised by `claim` and `begin` with `alone=False` when one attempt is left: claim again with `alone=True`."""


class TooLate(Exception):
    """Raised by `claim` when the time for second readings is over: call `keep` instead."""


def unless_refused(reply: dict[str, Any] | None) -> dict[str, Any] | None:
    """The answer of a script that claims something. Raises LastTry, TooLate."""
    if reply and reply.get("last"):
        raise LastTry
    if reply and reply.get("late"):
        raise TooLate
    return reply
