"""The commands about the model directory of this machine. They need no worker."""

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ocrqueue.cli.report import DONE, FAILED, complain, say
from ocrqueue.cli.vision import inspection_lines
from ocrqueue.errors import ModelUnavailable, QueueUnavailable

if TYPE_CHECKING:
    from ocrqueue.engines import Model
    from ocrqueue.models import ModelStore
    from ocrqueue.models.pruning.audit import Needed

_name = click.argument("name", metavar="NAME")
_as_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON object per line.")


@click.group()
def models() -> None:
    """Manage the models of this machine (OCR_MODEL_DIR). docs/models.md says which model fits which memory."""


def _store() -> "ModelStore":
    from ocrqueue.models import ModelStore

    return ModelStore()


@models.command(name="list")
@_as_json
def list_models(as_json: bool) -> int:
    """List the models: kind, revision, size, files, last used, status, and problems."""
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
    """Print the absolute path of the folder with a model's files."""
    _print_path(_store().get_local_path(name))
    return DONE


@models.command()
@click.argument("name", metavar="NAME|FOLDER")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def check(name: str, as_json: bool) -> int:
    """Say what a vision-language model needs and how it will be asked, without loading its weights."""
    from ocrqueue.engines.mlx.inspection import inspect_model
    from ocrqueue.engines.mlx.settings import mlx_settings

    folder = _folder(name)
    model, damage = _in_folder(folder) if folder else _in_directory(name)
    found = inspect_model(model, mlx_settings())
    if as_json:
        print(json.dumps({**found.to_json(), "usable": found.usable and damage is None}))
    else:
        _print(inspection_lines(found, str(folder or name)))
    if damage:
        complain(damage)
    repair = f"`submit.py models pull {name}` fetches it again"
    for problem in (*(f"{problem}; {repair}" for problem in found.damage), *found.refused):
        complain(problem, name)
    return DONE if found.usable and damage is None else FAILED


def _folder(given: str) -> Path | None:
    """The absolute path of a model's folder if that is given, not a name in the model directory.

    Raises ModelUnavailable for a file.
    """
    folder = Path(given)
    if folder.is_file():
        raise ModelUnavailable(f"{given} is a file: name the folder of a model, or a model of `submit.py models list`")
    return folder.resolve() if folder.is_absolute() or (folder / "config.json").is_file() else None


def _in_folder(folder: Path) -> "tuple[Model, None]":
    """The model in a folder. Raises ModelUnavailable if there is no such folder."""
    from ocrqueue.engines import Model

    if not folder.is_dir():
        raise ModelUnavailable(
            f"there is no folder {folder}: name an existing one, or a model of `submit.py models list`"
        )
    return Model(folder.name, "", folder), None


def _in_directory(given: str) -> "tuple[Model, str | None]":
    """(a model of the model directory, what is wrong with its files). Raises ModelUnavailable if it is not there."""
    from ocrqueue.engines import Model

    store, (name, _, revision) = _store(), given.partition("@")
    try:
        return Model(name, revision, store.get_local_path(given)), None
    except ModelUnavailable as e:
        damaged = [model for model in store.list_local() if model.name == name and model.problems]
        if not damaged:
            raise
        return Model(name, revision, Path(damaged[0].path)), e.message


@models.command()
@_name
def pull(name: str) -> int:
    """Download a model from the Hugging Face hub and print its path. Continues an interrupted download."""
    say(f"pulling {name}")
    where = _store().pull(name)
    say(f"{name} is complete")
    _print_path(where)
    return DONE


@models.command()
@_name
def keep(name: str) -> int:
    """Add a model to the keep list, so that it is never pruned."""
    say(f"{name}: {'kept from now on' if _store().keep(name) else 'on the keep list already'}", sys.stdout)
    return DONE


@models.command()
@_name
def unkeep(name: str) -> int:
    """Remove a model from the keep list."""
    store = _store()
    if not store.unkeep(name):
        complain(f"{name} is not on the keep list; it has: {', '.join(sorted(store.kept())) or 'nothing'}")
        return FAILED
    say(f"{name}: no longer kept", sys.stdout)
    return DONE


@models.command()
@click.option("--verify", is_flag=True, help="Read all files in full and compare their hashes; takes minutes.")
@click.option("--json", "as_json", is_flag=True, help="Print the report as one JSON object.")
def audit(verify: bool, as_json: bool) -> int:
    """Check all models: complete, in use, kept, last used, size, replaced by a newer revision."""
    from ocrqueue.models.tables import audit_table

    found = _store().audit(_needed(), verify_after=0 if verify else None)
    if as_json:
        print(json.dumps(found.to_json()))
    else:
        _print(audit_table(found))
    return DONE


@models.command()
@click.option("--dry-run", is_flag=True, help="Only print what would be moved.")
@_as_json
def prune(dry_run: bool, as_json: bool) -> int:
    """Move old, broken and unused models to the trash, and above OCR_MODEL_DIR_MAX_GB the least recently used."""
    from ocrqueue.models.tables import prune_lines

    store = _store()
    only_report = store.settings.prune == "report" and not dry_run
    done = store.prune(dry_run or only_report, _needed(warn=True))
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
    """Restore a model from the trash; of several with this name the one pruned last."""
    from ocrqueue.models.pruning.audit import Status

    entry = _store().restore(name)
    say(f"{entry.name}@{entry.revision}: restored", sys.stdout)
    if entry.status == Status.OLD:
        say(f"the next prune moves it again ({entry.reason}), unless `submit.py models keep` keeps it")
    return DONE


def _needed(warn: bool = False) -> "Needed":
    """(model, revision) of open jobs; empty if Redis cannot be reached, and with `warn` a note says so."""
    from ocrqueue.models.needed import needed_by

    try:
        return needed_by()
    except QueueUnavailable:
        if warn:
            say("note: Redis cannot be reached, so the models that open jobs need are not known")
        return ()


def _print_path(path: Path) -> None:
    """Print a path with the bytes that it has; on a terminal without control characters."""
    if sys.stdout.isatty():
        say(str(path), sys.stdout)
    else:
        click.echo(os.fsencode(path))


def _print(lines: list[str] | Iterator[str]) -> None:
    for line in lines:
        say(line, sys.stdout)
