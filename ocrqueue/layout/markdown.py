"""Markdown (CommonMark, with tables of GitHub Flavored Markdown): paragraphs as headings, lists, tables and text.

Characters of the page that have a meaning in Markdown are escaped.
"""

import re
from collections.abc import Iterable, Sequence

from ocrqueue.layout.paragraphs import Kind, Paragraph, row_text
from ocrqueue.layout.tables import Table

_BREAK = "  \n"  # a hard line break
# What has a meaning anywhere in a line, at its beginning, and at its beginning after a number.
_SPECIAL = re.compile(r"[\\`*\[\]<~]|(?<![^\W_])_|_(?![^\W_])|&(?=#?\w+;)")
_LINE_START = re.compile(r"#{1,6}(?=\s|$)|[-+](?=\s|$)|>|[-=]+\s*$|(?:- ?){3,}$")
_NUMBER_START = re.compile(r"(\d{1,9})(?=[.)](?:\s|$))")
_HYPHENATED = re.compile(r"\w[-\u2010⸗]$")
_SOFT_HYPHEN = "\u00ad"
# Scripts without spaces between words: Chinese and Japanese.
_UNSPACED = re.compile(r"[\u2e80-\u312f\u3400-\u9fff\uf900-\ufaff\uff00-\uffef]")


def markdown(paragraphs: Iterable[Paragraph]) -> str:
    """The paragraphs as Markdown."""
    parts: list[str] = []
    last: Paragraph | None = None
    for paragraph in paragraphs:
        text = _markdown(paragraph)
        if last is not None:
            parts.append("\n" if _is_same_list(last, paragraph) else "\n\n")
        parts.append(text)
        last = paragraph
    return "".join(parts)


def escape(text: str) -> str:
    """Text escaped so that Markdown shows it as it is, also at the beginning of a line."""
    text = _escape_inside(text)
    if _LINE_START.match(text):
        return "\\" + text
    return _NUMBER_START.sub(r"\1\\", text, count=1) if _NUMBER_START.match(text) else text


def _escape_inside(text: str) -> str:
    """Text escaped so that Markdown shows it as it is, except at the beginning of a line."""
    return _SPECIAL.sub(r"\\\g<0>", " ".join(text.split()))


def join_lines(lines: Sequence[str]) -> str:
    """The lines of a paragraph as one line. Words that were hyphenated at the end of a line are joined."""
    parts: list[str] = []
    for line in filter(None, map(str.strip, lines)):
        if parts:
            parts[-1], between = _link(parts[-1], line)
            parts.append(between)
        parts.append(line)
    return "".join(parts)


def _link(before: str, after: str) -> tuple[str, str]:
    """The line before, without the hyphen of a divided word, and the separator between it and the line after."""
    if before.endswith(_SOFT_HYPHEN):
        return before[:-1], ""
    if _HYPHENATED.search(before[-2:]) and after[0].isalpha():
        return (before[:-1] if after[0].islower() else before), ""
    return before, "" if _UNSPACED.match(before[-1]) and _UNSPACED.match(after) else " "


def _markdown(paragraph: Paragraph) -> str:
    """One paragraph as Markdown."""
    lines = [row_text(row) for row in paragraph.rows]
    if paragraph.table is not None:
        return _table(paragraph.table)
    if paragraph.kind is Kind.LINES:
        return _BREAK.join(escape(line) for line in lines)
    text = join_lines(lines)
    if paragraph.kind is Kind.HEADING:
        return "#" * paragraph.level + " " + _escape_inside(text)
    if paragraph.kind is Kind.ITEM:
        number = paragraph.marker.strip() if paragraph.marker[:1].isdigit() else "-"
        return f"{number} {escape(text[len(paragraph.marker) :])}"
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
