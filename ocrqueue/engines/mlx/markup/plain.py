"""The plain text of Markdown."""

import re

from ocrqueue.engines.mlx.markup.fences import outside_code, without_fences
from ocrqueue.engines.mlx.markup.tables.from_html import ATTRIBUTES, html_tables_as_text, pipe_tables_as_text

_IMAGE = re.compile(r"!\[([^\[\]]*)\]\([!-'*-Z^-~]*\)")  # with the address of a file
_HEADING = re.compile(r"(?m)^ {0,3}#{1,6} +")
_LINE_END = re.compile(rf"(?i)(?<!\\)(?:<br\s*/?>\n?|</(?:p|div|center){ATTRIBUTES})")
_TAG = re.compile(
    r"(?i)(?<!\\)(?:</?(?:img|watermark|page_number|signature|logo)>"  # Nanonets' tags
    rf"|</?(?:sup|sub|b|i|u|em|strong|small|span|p|div|center){ATTRIBUTES})"
)
_STRONG = re.compile(r"\*\*|__|\n")


def plain(content: str) -> str:
    """Markdown without its marks for headings, strong text, images, fences, tables and some tags of HTML.

    A row of a table is a line, with tabs between its cells. Words do not change.
    """
    content = without_fences(outside_code(content, _without_marks))
    return content.lstrip(" \r\n").rstrip()  # a tab at the start is an empty cell


def inline(content: str) -> str:
    """The text of a paragraph or cell without its marks for strong text, images and some tags of HTML."""
    content = _without_strong(_IMAGE.sub(r"\1", content))
    return _TAG.sub("", _LINE_END.sub("\n", content)).replace(r"\<", "<")


def _without_marks(content: str) -> str:
    content = _without_strong(_HEADING.sub("", _IMAGE.sub(r"\1", content)))
    content = _TAG.sub("", _LINE_END.sub("\n", content))
    return pipe_tables_as_text(html_tables_as_text(content)).replace(r"\<", "<")


def _without_strong(content: str) -> str:
    """A text without the `**` and `__` around strong parts of a line. `__` inside of a word is no mark."""
    pieces: list[str] = []
    opened: dict[str, int] = {}  # index of the piece with each open mark of this line
    end = 0
    for found in _STRONG.finditer(content):
        mark, start = found[0], found.start()
        pieces += [content[end:start], mark]
        before, after = content[start - 1 : start] if start else "", content[found.end() : found.end() + 1]
        end, is_word = found.end(), mark == "__"
        if mark == "\n":
            opened.clear()
        elif mark in opened and not before.isspace() and not (is_word and after.isalnum()):
            if len(pieces) - opened[mark] > 3 or pieces[-2]:  # else nothing is between the two
                pieces[opened.pop(mark)] = pieces[-1] = ""
        elif after.strip() and not (is_word and before.isalnum()):
            opened[mark] = len(pieces) - 1
    return "".join([*pieces, content[end:]])
