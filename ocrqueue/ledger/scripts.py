"""The ledger's Lua scripts, each one atomic step, loaded from the folder `lua`."""

from importlib.resources import files
from typing import Any

from redis import Redis
from redis.commands.core import Script

from ocrqueue import names
from ocrqueue.ledger.figures import BOUNDS, MINUTES
from ocrqueue.ledger.qualities import AT_ONCE
from ocrqueue.pages import POORLY_READ

# Scripts that Redis refuses at its memory limit; all others finish jobs, and must run then too.
_MAKES = frozenset({"create"})
_WITHOUT_JOB = frozenset({"create", "recount"})  # scripts that run although the job does not exist
NAMES = [
    *("create", "begin", "open", "refuse", "claim", "renew", "finish", "return_claim", "cancel", "retry", "outcome"),
    *("end", "publish", "confirm_end", "drop", "mend", "settle", "recount"),
    *("claim_delivery", "settle_delivery", "repeat_delivery"),
]


def source(name: str) -> str:
    """The text of a script: flags, constants, the common prelude, its own part."""
    folder = files("ocrqueue.ledger") / "lua"
    flags = "#!lua\n" if name in _MAKES else "#!lua flags=allow-oom\n"
    head = flags + f"local NEEDS_JOB = {str(name not in _WITHOUT_JOB).lower()}\n" + _constants()
    return head + (folder / "prelude.lua").read_text() + (folder / f"{name}.lua").read_text()


def _constants() -> str:
    """The constants of the figures and of qualities as lines of Lua."""
    numbers = {"MINUTES": MINUTES, "QUALITIES": AT_ONCE, "POOR": round(100 * POORLY_READ)}
    bounds = {f"{name.upper()}_BOUNDS": ", ".join(f"'{bound:g}'" for bound in found) for name, found in BOUNDS.items()}
    lists = "".join(f"local {name} = {{{items}}}\n" for name, items in bounds.items())
    return lists + "".join(f"local {name} = {number}\n" for name, number in numbers.items())


def load(redis: "Redis[Any] | Redis") -> dict[str, Script]:  # type: ignore[type-arg]
    """All scripts by name, for this connection. A script is sent to the server on first use."""
    return {name: redis.register_script(source(name)) for name in NAMES}


def keys(job: str) -> list[str]:
    """The keys of every script, in the order that the prelude expects."""
    return [
        names.job_key(job),
        names.pages_key(job),
        names.OPEN,
        names.JOBS,
        names.CLAIMS,
        names.DEAD,
        names.UNPUBLISHED,
        names.BACKLOG,
        names.celery_result_key(job),
        names.COUNTS,
        names.FIGURES,
        names.MINUTES,
        names.WAITING,
        names.deliveries_key(job),
        names.DELIVERIES,
        names.DUE,
        names.TAKEN,
    ]
