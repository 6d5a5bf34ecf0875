"""How values are written for the ledger's scripts."""

import json

from ocrqueue.errors import PageError
from ocrqueue.ledger.figures import Measured
from ocrqueue.ledger.qualities import percent


def encoded(result: Measured | PageError | None, again: bool) -> list[object]:
    """The result of a page as the script `finish` takes it; `again`: poorly read pages are to be read again."""
    if isinstance(result, PageError):
        return ["failed", result.code, clean(result.message)]
    found = result or Measured(None, None)
    word = "again" if again and found.may_be_read_better else "ok"
    values = [-1 if x is None else x for x in (found.seconds, found.confidence)]
    return [word, *values, percent(found.quality), *([json.dumps(found.second)] if found.second else [])]


def clean(text: str) -> str:
    """A text that Redis and Lua's JSON accept.

    Python decodes bytes of a file name that are not UTF-8 to surrogates, which neither of them does.
    """
    return text.encode("utf-8", "replace").decode()
