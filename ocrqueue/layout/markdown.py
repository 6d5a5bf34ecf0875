"""Markdown: paragraphs as headings, lists, tables and text. CommonMark, tables as GitHub's.

Text of the page that would mean something in Markdown is escaped, so that it shows as it is.
"""

import re
from collections.abc import Iterable, Sequence

from ocrqueue.layout.paragraphs import Kind, Paragraph, row_text
from ocrqueue.layout.tables import Table

_BREAK = "  \n"
_SPECIAL = re.compile(r"[\\`*\[\]<~]|(?<![^\W_])_|_(?![^\W_])|&(?=#?\w+;)")
_LINE_START = re.compile(r"#{1,6}(?=\s|$)|[-+](?=\s|$)|>|[-=]+\s*$|(?:- ?){3,}$")
_NUMBER_START = re.compile(r"(\d{1,9})(?=[.)](?:\s|$))")
_HYPHENATED = re.compile(r"\w[-\u2010⸗]$")
_SOFT_HYPHEN = "\u00ad"
_NO_BLANKS = re.compile(r"[\u2e80-\u312f\u3400-\u9fff\uf900-\ufaff\uff00-\uffef]")  # scripts written without blanks


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
    """Text that Markdown shows as it is, at the beginning of a line or elsewhere."""
    text = _escape_inside(text)
    if _LINE_START.match(text):
        return "\\" + text
    return _NUMBER_START.sub(r"\1\\", text, count=1) if _NUMBER_START.match(text) else text


def _escape_inside(text: str) -> str:
    """Text that Markdown shows as it is where no line begins."""
    return _SPECIAL.sub(r"\\\g<0>", " ".join(text.split()))


def join_lines(lines: Sequence[str]) -> str:
    """Lines of a paragraph as one, words parted at their ends made whole."""
    parts: list[str] = []
    for line in filter(None, map(str.strip, lines)):
        if parts:
            parts[-1], between = _link(parts[-1], line)
            parts.append(between)
        parts.append(line)
    return "".join(parts)


def _link(before: str, after: str) -> tuple[str, str]:
    """The line before as it stands when joined, and what comes between it and the line after."""
    if before.endswith(_SOFT_HYPHEN):
        return before[:-1], ""
    if _HYPHENATED.search(before[-2:]) and after[0].isalpha():
        return (before[:-1] if after[0].islower() else before), ""
    return before, "" if _NO_BLANKS.match(before[-1]) and _NO_BLANKS.match(after) else " "


def _markdown(paragraph: Paragraph) -> str:
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
    if not last.kind is paragraph.kind is Kind.ITEM:
        return False
    return last.marker[:1].isdigit() == paragraph.marker[:1].isdigit()


def _table(table: Table) -> str:
    head, *rows = ([escape(cell).replace("|", "\\|") for cell in row] for row in table)
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
