"""The commands about models in the memory of workers: these ask the workers, on every machine."""

import json
import sys
import time

import click

from ocrqueue.cli.follow import SECONDS
from ocrqueue.cli.report import DONE, TIMED_OUT, say
from ocrqueue.client import Client

_as_json = click.option("--json", "as_json", is_flag=True, help="Print an object a line.")
_HEAD = ("machine", "pid", "model", "tasks", "rss", "active", "cache", "peak", "loaded", "last used")


@click.command()
@click.option("--timeout", type=SECONDS, default=330.0, metavar="S",
              help="Seconds to wait at most for children that are reading a page (330).")  # fmt: skip
def unload(timeout: float) -> int:
    """Have every child of every worker free its model; the next page loads it again."""
    outcomes = []
    for answer in Client().unload(timeout):
        outcomes.append(answer.outcome)
        what = {"freed": "freed", "ended": "ended", "busy": "still reading: it frees its model after this page"}
        say(f"{answer.host} {answer.pid}: {what[answer.outcome]}", sys.stdout)
    if not outcomes:
        say("no worker has answered; where one should run, see `submit.py doctor`")
    return TIMED_OUT if "busy" in outcomes else DONE


@click.command()
@_as_json
def memory(as_json: bool) -> int:
    """List the worker children: what each has in memory, in megabytes, as it was after its last task."""
    found = Client().children()
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
    widths = [max(len(row[column]) for row in [_HEAD, *rows]) for column in range(len(_HEAD))]
    for row in [_HEAD, *rows]:
        say("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip(), sys.stdout)
    return DONE


def _megabytes(count: int | None) -> str:
    return "-" if count is None else f"{count / 2**20:.1f}"


def _ago(moment: float | None) -> str:
    if moment is None:
        return "-"
    seconds = max(0, round(time.time() - moment))
    return f"{seconds} s ago" if seconds < 120 else f"{seconds // 60} min ago"
