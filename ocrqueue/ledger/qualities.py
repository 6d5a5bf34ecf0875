"""The qualities of pages in the ledger: a byte for each page, in the hash of the job's pages.

The field `q<i>` holds those of the pages after `AT_ONCE` times i, in the order of their indices, as text: a character's
code is the quality in percent plus 1, or 0 if the quality is not known. A page after the last character has none.
"""

from collections.abc import Iterable, Mapping
from types import MappingProxyType

Qualities = Mapping[int, float | None]  # by index, 0 to 1; None: not known
NONE_READ: Qualities = MappingProxyType({})
AT_ONCE = 64  # pages in a field; a longer value would cost a hash table


def field_of(index: int) -> str:
    """The field with the quality of a page; `index` counts from 1, as all indices of the ledger."""
    return f"q{(index - 1) // AT_ONCE}"


def fields_of(indices: Iterable[int]) -> list[str]:
    """The fields with the qualities of these pages, each once."""
    return list(dict.fromkeys(map(field_of, indices)))


def quality_of(index: int, fields: Mapping[str, str | None]) -> float | None:
    """The quality of a page, 0 to 1, from the fields of `fields_of`; None if it is not known."""
    text, place = fields.get(field_of(index)) or "", (index - 1) % AT_ONCE
    return (ord(text[place]) - 1) / 100 if place < len(text) and text[place] != "\0" else None


def percent(quality: float | None) -> int:
    """A quality as the scripts take it; -1 if it is not known."""
    return -1 if quality is None else round(100 * quality)
