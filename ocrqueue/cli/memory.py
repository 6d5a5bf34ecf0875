"""The commands about models in the memory of workers. They ask the workers of all machines."""

import json
import sys
import time

import click

from ocrqueue.cli.follow import SECONDS
from ocrqueue.cli.report import DONE, TIMED_OUT, say
from ocrqueue.client import default_client
from ocrqueue.client.children import Outcome
from ocrqueue.models.tables import aligned

_as_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON object per line.")
_HEAD = ("machine", "pid", "model", "tasks", "rss", "active", "cache", "peak", "loaded", "last used")
_OUTCOMES = {
    Outcome.FREED: "freed", Outcome.ENDED: "ended", Outcome.BUSY: "still reading: it frees its model after this page",
}  # fmt: skip


@click.command()
@click.option("--timeout", type=SECONDS, default=330.0, metavar="S",
              help="Wait at most S seconds for children that are reading a page (330).")  # fmt: skip
def unload(timeout: float) -> int:
    """Free the models in the memory of all worker children. The next page loads its model again."""
    outcomes = []
    for answer in default_client().unload(timeout):
        outcomes.append(answer.outcome)
        say(f"{answer.host} {answer.pid}: {_OUTCOMES[answer.outcome]}", sys.stdout)
    if not outcomes:
        say("no worker answered; if one should run, see `submit.py doctor`")
    return TIMED_OUT if Outcome.BUSY in outcomes else DONE


@click.command()
@_as_json
def memory(as_json: bool) -> int:
    """List the worker children and their memory after the last task, in megabytes."""
    found = default_client().children()
    if as_json:
        for child in found:
            print(json.dumps(child.to_json()))
        return DONE
    rows = [
        (
            child.host, str(child.pid), ", ".join(child.models.values()) or "-", str(child.tasks),
            *(_megabytes(n) for n in (child.rss, child.active, child.cache, child.peak)),
            _ago(child.loaded_since), _ago(child.last_used),
        )
        for child in found
    ]  # fmt: skip
    for line in aligned([_HEAD, *rows]):
        say(line, sys.stdout)
    return DONE


def _megabytes(count: int | None) -> str:
    return "-" if count is None else f"{count / 2**20:.1f}"


def _ago(moment: float | None) -> str:
    if moment is None:
        return "-"
    seconds = max(0, round(time.time() - moment))
    return f"{seconds} s ago" if seconds < 120 else f"{seconds // 60} min ago"
