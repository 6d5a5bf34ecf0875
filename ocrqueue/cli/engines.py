"""The command `engines`."""

import json
import sys

import click

from ocrqueue import languages
from ocrqueue.cli.report import DONE, say
from ocrqueue.client import default_client
from ocrqueue.models.tables import aligned

_HEAD = ("ENGINE", "MODEL", "PAGES", "WORKERS", "CHILDREN", "LANGUAGES")


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object per line.")
def engines(as_json: bool) -> int:
    """List the engines that workers serve, with model, pages that `auto` gives them, workers and languages."""
    found = default_client().engines()
    if as_json:
        for engine in found:
            print(json.dumps(engine.to_json()))
        return DONE
    if not found:
        say("no worker serves an engine; if one should, see `submit.py doctor`")
        return DONE
    rows = [
        (one.engine, one.model, one.pages, ", ".join(one.workers), str(one.children),
         "not known" if one.languages is None else languages.shown(one.languages) or "none")
        for one in found
    ]  # fmt: skip
    for line in aligned([_HEAD, *rows]):
        say(line, sys.stdout)
    return DONE
