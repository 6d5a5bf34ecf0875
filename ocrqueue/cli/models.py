"""The commands about the model directory of this machine; none needs a worker."""

import json
import os
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from ocrqueue.cli.report import DONE, FAILED, complain, say
from ocrqueue.errors import QueueUnavailable

if TYPE_CHECKING:
    from ocrqueue.models import ModelStore
    from ocrqueue.models.pruning.audit import Needed

_name = click.argument("name", metavar="NAME")
_as_json = click.option("--json", "as_json", is_flag=True, help="Print an object a line.")


@click.group()
def models() -> None:
    """The model directory of this machine (OCR_MODEL_DIR): list, fetch, keep, audit, prune."""


def _store() -> "ModelStore":
    from ocrqueue.models import ModelStore

    return ModelStore()


@models.command(name="list")
@_as_json
def list_models(as_json: bool) -> int:
    """List the models: kind, revision, size, files, last used, status, and what is wrong with them."""
    from ocrqueue.models.tables import model_table

    store = _store()
    found = store.list_local(_needed())
    if as_json:
        for model in found:
            print(json.dumps(model.to_json()))
    else:
        _print(model_table(found) if found else [f"no model in {store.paths.root}"])
    return DONE


@models.command()
@_name
def path(name: str) -> int:
    """Print the absolute path of a model's files."""
    click.echo(os.fsencode(_store().get_local_path(name)))
    return DONE


@models.command()
@_name
def pull(name: str) -> int:
    """Fetch a model from the Hugging Face hub; what was interrupted goes on. Then print its path."""
    say(f"pulling {name}")
    where = _store().pull(name)
    say(f"{name} is complete")
    click.echo(os.fsencode(where))
    return DONE


@models.command()
@_name
def keep(name: str) -> int:
    """Put a model on the keep list: it is never pruned."""
    say(f"{name}: {'kept from now on' if _store().keep(name) else 'on the keep list already'}", sys.stdout)
    return DONE


@models.command()
@_name
def unkeep(name: str) -> int:
    """Take a model off the keep list."""
    store = _store()
    if not store.unkeep(name):
        complain(f"{name} is not on the keep list; it has: {', '.join(sorted(store.kept())) or 'nothing'}")
        return FAILED
    say(f"{name}: no longer kept", sys.stdout)
    return DONE


@models.command()
@click.option("--verify", is_flag=True, help="Read every file in full and compare its hash: takes minutes.")
@click.option("--json", "as_json", is_flag=True, help="Print the report as one object.")
def audit(verify: bool, as_json: bool) -> int:
    """Look at every model: complete, in use, kept, last used, size, superseded."""
    from ocrqueue.models.tables import audit_table

    found = _store().audit(_needed(), verify_after=0 if verify else None)
    if as_json:
        print(json.dumps(found.to_json()))
    else:
        _print(audit_table(found))
    return DONE


@models.command()
@click.option("--dry-run", is_flag=True, help="Only say what would be moved.")
@_as_json
def prune(dry_run: bool, as_json: bool) -> int:
    """Move what is old, broken or unused to the trash, and what is over OCR_MODEL_DIR_MAX_GB."""
    from ocrqueue.models.tables import prune_lines

    store = _store()
    only_report = store.settings.prune == "report" and not dry_run
    done = store.prune(dry_run or only_report, _needed(tell=True))
    if as_json:
        for model in done.models:
            print(json.dumps({**model.to_json(), "dry_run": done.dry_run}))
    else:
        _print(prune_lines(done))
    if only_report and done.moved:
        say("nothing was moved: OCR_PRUNE is report here; to move them, set OCR_PRUNE=trash")
    return DONE


@models.command()
@_name
def restore(name: str) -> int:
    """Bring a model back from the trash; of several of this name the one pruned last."""
    entry = _store().restore(name)
    say(f"{entry.name}@{entry.revision}: restored", sys.stdout)
    if entry.status == "OLD":
        say(f"the next prune moves it again ({entry.reason}), unless `submit.py models keep` keeps it")
    return DONE


def _needed(tell: bool = False) -> "Needed":
    """(model, revision) of open jobs; without Redis nobody knows them."""
    from ocrqueue.models.needed import needed_by

    try:
        return needed_by()
    except QueueUnavailable:
        if tell:
            say("note: Redis cannot be reached, so models that open jobs wait for are not known")
        return ()


def _print(lines: list[str] | Iterator[str]) -> None:
    for line in lines:
        say(line, sys.stdout)
