"""Reads JSON that a model wrote: cut off anywhere, inside of other text, or with quotes that are not escaped.

Each character is looked at once, and nesting costs no stack, so that no answer takes long. No word of a string is lost.
"""

import json
import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field

# A quote ends a string only if punctuation of JSON follows, so that quotes inside that are not escaped do not end it.
_TOKEN = re.compile(  # with the blanks before it
    r'\s*(?:"(?:[^"\\]+|\\(?:.|\Z)|"(?!\s*(?:[,:}\]]|\Z)))*"?|[{}\[\],:]|[^\s"{}\[\],:][^"{}\[\],:]*)', re.DOTALL
)
_KEY = re.compile(r"[A-Za-z_][A-Za-z_0-9-]*")
_CUT_ESCAPE = re.compile(r"\\(?:u[0-9a-fA-F]{0,3})?\Z")
_ESCAPE = re.compile(r'\\(["\\/bfnrt]|u[0-9a-fA-F]{4})')
_CUT_LITERALS = ("null", "true", "false", "NaN", "-Infinity")
# `\frac` and `\beta` that are not escaped. Neither control character is in the text of a page.
_LATEX = str.maketrans({"\f": r"\f", "\b": r"\b"})


@dataclass(slots=True)
class Record:
    """An object of JSON. Numbers, `true` and `false` are texts, too; `null` is left out."""

    fields: dict[str, list[str]] = field(default_factory=dict)  # the values of each key, also those in lists
    loose: list[str] = field(default_factory=list)  # texts without a key


class _Open:
    """An object that is not closed yet."""

    def __init__(self, keys: Collection[str]) -> None:
        self.record = Record()
        self._keys = keys
        self._key: str | None = None
        self._lists = 0  # open lists inside

    def take(self, part: str, following: str) -> None:
        """Take a part; `following` is the next one, or empty at the end of the answer."""
        if part in "[]":
            self._lists = max(0, self._lists + (1 if part == "[" else -1))
        elif part == ",":
            self._key = self._key if self._lists else None
        elif part.startswith('"'):
            self._take_string(part, following)
        elif part != ":" and part != "null" and (following or not _begins(part, _CUT_LITERALS)):
            self._add(part)

    def _take_string(self, part: str, following: str) -> None:
        value = _unescaped(part)
        is_key = self._key is None and not self._lists
        if is_key and following == ":" and _KEY.fullmatch(value):
            self._key = value
            self.record.fields.setdefault(value, [])
        elif not (is_key and not following and _begins(value, self._keys)):
            self._add(value)

    def _add(self, value: str) -> None:
        if self._key is None:
            self.record.loose.append(value)
        else:
            self.record.fields[self._key].append(value)


def read_records(answer: str, keys: Collection[str]) -> Iterator[Record | str]:
    """The objects in a text, each where it ends, and the text around them. `keys` are those that may be cut off."""
    found = _TOKEN.findall(answer)
    parts = [part.strip() for part in found]
    opened: list[_Open] = []
    outside: list[str] = []
    for whole, part, following in zip(found, parts, [*parts[1:], ""], strict=False):
        if part == "{":
            if not opened:
                yield "".join(outside)
                outside = []
            opened.append(_Open(keys))
        elif not opened:
            outside.append(whole)
        elif part == "}":
            yield opened.pop().record
        else:
            opened[-1].take(part, following)
    while opened:
        yield opened.pop().record
    yield "".join(outside)


def _begins(text: str, names: Iterable[str]) -> bool:
    return any(name.startswith(text) for name in names)


def _unescaped(part: str) -> str:
    """The text of a string with its quotes. Escapes that JSON does not have stay; the last one may be cut."""
    text = part.removeprefix('"')
    text = text.removesuffix('"') if len(part) > 1 else text
    text = _CUT_ESCAPE.sub("", text) if not part.endswith('"') else text
    try:
        return str(json.loads(f'"{text}"', strict=False)).translate(_LATEX)
    except ValueError:
        return _ESCAPE.sub(lambda found: str(json.loads(f'"{found[0]}"')), text).translate(_LATEX)
