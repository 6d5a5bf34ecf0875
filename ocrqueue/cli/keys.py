"""The commands about the keys of the HTTP API. They change a file of this machine and need no running process."""

import json
import sys
from datetime import UTC, datetime

import click

from ocrqueue.cli.report import DONE, say
from ocrqueue.web.keys import Key, Keys, Right
from ocrqueue.web.settings import web_settings

_name = click.argument("name", metavar="NAME")


@click.group()
def keys() -> None:
    """Manage the keys of the HTTP API (OCR_API_KEYS)."""


def _keys() -> Keys:
    return Keys(web_settings().keys)


@keys.command()
@_name
@click.option(
    "--right",
    "rights",
    multiple=True,
    type=click.Choice([right.value for right in Right]),
    help="What the key allows; may be repeated. Default: submit and read.",
)
@click.option("--requests", type=click.IntRange(1), metavar="N", help="Requests allowed per minute.")
@click.option(
    "--open-pages", type=click.IntRange(1), metavar="N", help="Open pages allowed at a time, of all its jobs."
)
def new(name: str, rights: tuple[str, ...], requests: int | None, open_pages: int | None) -> int:
    """Make a key and print it. It is shown only now: the file has its hash."""
    chosen = frozenset(Right(right) for right in rights) or frozenset((Right.SUBMIT, Right.READ))
    store = _keys()
    is_first = not store.are_required
    click.echo(store.add(Key(name, chosen, requests, open_pages)))
    say(f"the key {name} may: {', '.join(sorted(chosen))}; it is not shown again")
    if is_first:
        say("this is the first key: from now on, every request to the HTTP API needs one")
    return DONE


@keys.command(name="list")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object per line.")
def list_keys(as_json: bool) -> int:
    """List the keys: name, rights, limits, day of creation."""
    found = _keys().all()
    for key in found:
        if as_json:
            values = key.to_json()
            del values["hash"]
            print(json.dumps(values))
        else:
            say(_row(key), sys.stdout)
    if not found and not as_json:
        say("no key: make one with `submit.py keys new NAME`")
    return DONE


def _row(key: Key) -> str:
    limits = [f"{key.requests} requests a minute"] if key.requests else []
    limits += [f"{key.open_pages} open pages"] if key.open_pages else []
    day = datetime.fromtimestamp(key.created, UTC).date()
    return "  ".join([key.name, ",".join(sorted(key.rights)), *limits, f"made on {day}"])


@keys.command()
@_name
def revoke(name: str) -> int:
    """Remove a key. Requests with it are refused at once."""
    store = _keys()
    store.revoke(name)
    say(f"{name}: revoked", sys.stdout)
    if not store.all():
        say(
            "no key is left: all requests are refused until you make one with `submit.py keys new NAME`; to answer "
            f"without keys again, remove {store.path} and start `web` again"
        )
    return DONE
