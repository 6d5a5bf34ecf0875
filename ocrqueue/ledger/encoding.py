"""How values are written for the ledger's scripts."""

import json
import re

from ocrqueue.errors import PageError
from ocrqueue.ledger.figures import Measured
from ocrqueue.ledger.qualities import percent

_LONGEST = 255  # characters of a name, as in most file systems
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")


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


def shown_name(text: str) -> str:
    """The name of a document, from wherever it comes, as it is stored and shown: one line of at most 255 characters.

    The end of a longer name is kept, too, for its extension.
    """
    name = shown_line(text).strip() or "document"
    return name if len(name) <= _LONGEST else f"{name[: _LONGEST - 21]}…{name[-20:]}"


def shown_line(text: str) -> str:
    """A text of unknown origin as one line that is safe to show.

    Control characters are removed (escape sequences of terminals begin with one), and so are line breaks and changes of
    direction, which make "fdp.exe" look like "exe.pdf". What cannot be encoded becomes a question mark.
    """
    return clean(_CONTROL.sub("", text))
