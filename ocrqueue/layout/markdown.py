"""Markdown (CommonMark, with tables of GitHub Flavored Markdown): paragraphs as headings, lists, tables and text.

Characters of the page that have a meaning in Markdown are escaped.
"""

import re
from collections.abc import Sequence

from ocrqueue.hyphens import Words, join_lines
from ocrqueue.layout.bullets import TICKS
from ocrqueue.layout.paragraphs import Kind, Paragraph, row_text
from ocrqueue.layout.tables import Table

_BREAK = "  \n"  # a hard line break
# What has a meaning anywhere in a line, at its beginning, and at its beginning after a number.
_SPECIAL = re.compile(r"[\\`*\[\]<~]|(?<![^\W_])_|_(?![^\W_])|&(?=#?\w+;)")
_MAY_BE_SPECIAL = re.compile(r"[\\`*\[\]<~_&$]")  # few lines have one: this search is much shorter
# A formula of LaTeX. It has a command, an index or a power, and nothing that could be a tag, a link or code.
_FORMULA = re.compile(r"(?<![\\$\w])(\$(?![\s$])(?=[^$]*[\\^_])[^$<`&\[\]*]*(?<![\s\\])\$)(?![\w$])")
_LINE_START = re.compile(r"#{1,6}(?=\s|$)|[-+](?=\s|$)|>|[-=]+\s*$|(?:- ?){3,}$")
_NUMBER_START = re.compile(r"(\d{1,9})(?=[.)](?:\s|$))")


def markdown(paragraphs: Sequence[Paragraph]) -> str:
    """The paragraphs of a page as Markdown."""
    words = Words()
    words.add(row_text(row) for paragraph in paragraphs for row in paragraph.rows)
    parts: list[str] = []
    last: Paragraph | None = None
    for paragraph in paragraphs:
        text = _markdown(paragraph, words)
        if last is not None:
            parts.append("\n" if _is_same_list(last, paragraph) else "\n\n")
        parts.append(text)
        last = paragraph
    return "".join(parts)


def escape(text: str) -> str:
    """Text escaped so that Markdown shows it as it is, also at the beginning of a line."""
    text = escape_inside(text)
    if _LINE_START.match(text):
        return "\\" + text
    return _NUMBER_START.sub(r"\1\\", text, count=1) if _NUMBER_START.match(text) else text


def escape_inside(text: str) -> str:
    """Text escaped so that Markdown shows it as it is, except at the beginning of a line.

    Formulas between dollars stay as they are.
    """
    text = " ".join(text.split())
    if not _MAY_BE_SPECIAL.search(text):
        return text
    parts = _FORMULA.split(text)  # text, formula, text ...
    parts[::2] = (_SPECIAL.sub(r"\\\g<0>", part) for part in parts[::2])
    return "".join(parts)


def _markdown(paragraph: Paragraph, words: Words) -> str:
    """One paragraph as Markdown."""
    lines = [row_text(row) for row in paragraph.rows]
    if paragraph.table is not None:
        return _table(paragraph.table)
    if paragraph.kind is Kind.LINES:
        return _BREAK.join(escape(line) for line in lines)
    text = join_lines(lines, words)
    if paragraph.kind is Kind.HEADING:
        return "#" * paragraph.level + " " + escape_inside(text)
    if paragraph.kind is Kind.ITEM:
        number = paragraph.marker.strip() if paragraph.marker[:1].isdigit() else "-"
        return f"{number} {escape(text if paragraph.marker[:1] in TICKS else text[len(paragraph.marker) :])}"
    return escape(text)


def _is_same_list(last: Paragraph, paragraph: Paragraph) -> bool:
    """Whether two list items follow each other in one list: both with numbers, or both with bullets."""
    if not last.kind is paragraph.kind is Kind.ITEM:
        return False
    return last.marker[:1].isdigit() == paragraph.marker[:1].isdigit()


def _table(table: Table) -> str:
    head, *rows = ([escape(cell).replace("|", "\\|") for cell in row] for row in table)
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
