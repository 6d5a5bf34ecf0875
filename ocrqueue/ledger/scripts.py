"""The ledger's Lua scripts, each one atomic step, loaded from the folder `lua`."""

from collections.abc import Iterable
from importlib.resources import files
from typing import Any

from redis import Redis
from redis.commands.core import Script
from redis.exceptions import NoScriptError

from ocrqueue import names
from ocrqueue.errors import DOCUMENT_CODES, FINAL_CODES, PAGE_CODES
from ocrqueue.ledger.figures import BOUNDS, MINUTES
from ocrqueue.ledger.qualities import AT_ONCE
from ocrqueue.pages import POORLY_READ

# Scripts that Redis refuses at its memory limit; all others finish jobs, and must run then too.
_MAKES = frozenset({"create"})
_OF_DOCUMENTS = DOCUMENT_CODES - PAGE_CODES  # codes that no page has
_WITHOUT_JOB = frozenset({"create", "recount"})  # scripts that run although the job does not exist
NAMES = [
    *("create", "begin", "open", "refuse", "claim", "renew", "finish", "return_claim", "cancel", "retry", "outcome"),
    *("keep", "end", "publish", "confirm_end", "drop", "mend", "settle", "recount"),
    *("claim_delivery", "settle_delivery", "repeat_delivery"),
]


def source(name: str) -> str:
    """The text of a script: flags, constants, the common prelude, its own part."""
    folder = files("ocrqueue.ledger") / "lua"
    flags = "#!lua\n" if name in _MAKES else "#!lua flags=allow-oom\n"
    head = flags + f"local NEEDS_JOB = {str(name not in _WITHOUT_JOB).lower()}\n" + _constants()
    return head + (folder / "prelude.lua").read_text() + (folder / f"{name}.lua").read_text()


def _constants() -> str:
    """The constants of the figures, of qualities and of errors as lines of Lua."""
    numbers = {"MINUTES": MINUTES, "QUALITIES": AT_ONCE, "POOR": round(100 * POORLY_READ)}
    bounds = {f"{name.upper()}_BOUNDS": ", ".join(f"'{bound:g}'" for bound in found) for name, found in BOUNDS.items()}
    final = {"FINAL_CODES": ", ".join(f"{code} = true" for code in sorted(FINAL_CODES - _OF_DOCUMENTS))}
    lists = "".join(f"local {name} = {{{items}}}\n" for name, items in (bounds | final).items())
    return lists + "".join(f"local {name} = {number}\n" for name, number in numbers.items())


def load(redis: "Redis[Any] | Redis") -> dict[str, Script]:  # type: ignore[type-arg]
    """All scripts by name, for this connection. A script is sent to the server on first use."""
    return {name: redis.register_script(source(name)) for name in NAMES}


def run_each(redis: Redis, script: Script, calls: Iterable[tuple[list[str], list[Any]]]) -> list[Any]:
    """The answers of a script to several calls, given as (keys, arguments), in one round trip.

    An error with which Redis answers a call takes the place of its answer. A server that does not know the script gets
    its text.
    """
    every = list(calls)
    with redis.pipeline(transaction=False) as pipe:
        for keys, args in every:
            pipe.evalsha(script.sha, len(keys), *keys, *args)
        answers = pipe.execute(raise_on_error=False)
        missing = [i for i, answer in enumerate(answers) if isinstance(answer, NoScriptError)]
        for i in missing:
            pipe.eval(str(script.script), len(every[i][0]), *every[i][0], *every[i][1])
        for i, answer in zip(missing, pipe.execute(raise_on_error=False), strict=True):
            answers[i] = answer
    return answers


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
