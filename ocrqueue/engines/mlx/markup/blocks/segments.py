"""Cuts Markdown into code, tables, formulas and the prose around them, which is left to a parser of Markdown.

That parser would cut rows of tables at the width of their head, take formulas for lists, and end tables of HTML at
empty lines.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from ocrqueue.engines.mlx.markup.fences import code_blocks
from ocrqueue.engines.mlx.markup.tables.from_html import html_tables, pipe_tables
from ocrqueue.engines.mlx.markup.tables.table import Rows

_FORMULA = re.compile(r"(?m)^[ \t]*\$\$((?:[^$\n]|\$(?!\$)|\n(?!\s*\n))*)\$\$[ \t]*$")


@dataclass(frozen=True, slots=True)
class Code:
    """The text of a code block."""

    text: str


@dataclass(frozen=True, slots=True)
class Formula:
    """A formula that stands alone, in LaTeX, without its dollars."""

    latex: str


Segment = str | Rows | Code | Formula  # a text is prose in Markdown


def segments_of(content: str) -> Iterator[Segment]:
    """The parts of Markdown in their order."""
    for text, is_code in code_blocks(content):
        if is_code:
            yield Code(text)
            continue
        for part in html_tables(text):
            if isinstance(part, str):
                yield from _formulas(part)
            else:
                yield part


def _formulas(text: str) -> Iterator[Segment]:
    parts = _FORMULA.split(text)  # text, formula, text ...
    for index, part in enumerate(parts):
        if index % 2:
            yield Formula(part.strip())
        else:
            yield from pipe_tables(part)
