"""The command `engines`."""

import json
import sys

import click

from ocrqueue import languages
from ocrqueue.cli.report import DONE, say
from ocrqueue.client import default_client
from ocrqueue.client.children import ServedEngine
from ocrqueue.engines import POOR_PAGES
from ocrqueue.models.tables import aligned

_HEAD = ("ENGINE", "MODEL", "WORKERS", "CHILDREN", "LANGUAGES")


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object per line.")
def engines(as_json: bool) -> int:
    """List the engines that workers serve, with model, workers and languages."""
    found = default_client().engines()
    if as_json:
        for engine in found:
            print(json.dumps(engine.to_json()))
        return DONE
    if not found:
        say("no worker serves an engine; if one should, see `submit.py doctor`")
        return DONE
    rows = [(one.engine, one.model, ", ".join(one.workers), str(one.children), _reads(one)) for one in found]
    for line in aligned([_HEAD, *rows]):
        say(line, sys.stdout)
    return DONE


def _reads(one: ServedEngine) -> str:
    """The languages of an engine, and whether it gets only some pages."""
    shown = "not known" if one.languages is None else languages.shown(one.languages) or "none"
    return f"{shown}; only poorly read pages" if one.pages == POOR_PAGES else shown
