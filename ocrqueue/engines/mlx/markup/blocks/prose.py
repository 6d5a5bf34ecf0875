"""The blocks of prose in Markdown: headings, paragraphs, items of lists, footnotes, pictures."""

import re
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING

from ocrqueue.blocks import Block, BlockKind
from ocrqueue.engines.mlx.markup.plain import inline
from ocrqueue.hyphens import join_lines

if TYPE_CHECKING:
    from markdown_it import MarkdownIt

_DEEPEST = 90  # levels of lists and quotations; what is deeper is found to be missing
_BULLET = re.compile(r"([•●○◦▪■‣⁃])\s*(?=\S)")
_MARKER = re.compile(r"([•●○◦▪■‣⁃]|[-–—*·](?=\s)|(?:\d{1,3}|[A-Za-z])[.)](?=\s)|\(\w{1,3}\)(?=\s))\s*(?=\S)")
# The mark of a footnote, as Markdown's extension for footnotes has it, or raised, or a sign.
_NOTE = re.compile(
    r"\[\^(?P<name>[^\]\s]{1,20})\]:?\s*"
    r"|(?:<sup>\s*|\$\s*\^\s*\{?\s*)(?P<raised>[\w*†‡]{1,3})(?:\s*</sup>|\s*\}?\s*\$)(?=\s|[A-Z][a-z]{2})\s*"
    r"|(?P<sign>[¹²³⁴-⁹⁰]{1,2}|[†‡]{1,2}|\\\*)\s*(?=\w)"
)
_REFERENCE = re.compile(r"\[\^([^\]\s]{1,20})\]")
_MARK = re.compile(r"[\\*_`!\[<]")
_EMPHASIS = re.compile(r"(?<![\\\w*])\*(?=[^\s*])([^*\n$]+)(?<=\S)\*(?![\w*])")
_CODE = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
_ESCAPED = re.compile(r"\\([!-.:-@\[\]-`|}~])")
_DOLLAR = re.compile(r"(?<!\\)\$")
_IMAGE = re.compile(r"!\[[^\[\]]*\]\([!-'*-Z^-~]*\)|<img>.*</img>", re.DOTALL)
_PAGE_NUMBER = re.compile(r"<page_number>[^<]*</page_number>")
_HARD_BREAK = re.compile(r"(?:  +|\\|<br\s*/?>)\n")
_FULL = 0.6  # times the longest line of a paragraph: lines of running text are longer


@cache
def _parser() -> "MarkdownIt":
    """A parser of blocks. Rules that drop text, or that models follow without meaning it, are off."""
    from markdown_it import MarkdownIt

    parser = MarkdownIt("commonmark", {"html": False, "maxNesting": _DEEPEST})
    parser.disable(["code", "fence", "html_block", "lheading", "reference"])
    parser.core.ruler.enableOnly(["normalize", "block"])
    return parser


def prose_blocks(text: str) -> Iterator[Block]:
    """The blocks of a part of a page without tables, code and formulas."""
    lists = 0  # open ones
    marker: str | None = None  # of the item that has no text yet
    level = 0  # of the heading that has no text yet
    for token in _parser().parse(text):
        if token.type in ("bullet_list_open", "ordered_list_open"):
            lists += 1
        elif token.type in ("bullet_list_close", "ordered_list_close"):
            lists -= 1
        elif token.type == "list_item_open":
            marker = token.info + token.markup
        elif token.type == "heading_open":
            level = int(token.tag[1])
        elif token.type == "inline":
            if level:
                yield Block(BlockKind.HEADING, text=flowing(token.content), level=level)
            elif marker is not None:
                yield Block(BlockKind.LIST_ITEM, text=flowing(token.content), depth=lists, marker=marker)
            else:
                yield from _paragraphs(token.content)
            marker, level = None, 0


def _paragraphs(raw: str) -> Iterator[Block]:
    """A paragraph, or the items of the list that it is."""
    lines = raw.split("\n")
    starts = [index for index, line in enumerate(lines) if _BULLET.match(line)]
    ends = [*starts[1:], len(lines)]
    if before := "\n".join(lines[: starts[0]] if starts else lines).strip():
        yield paragraph(before)
    for start, end in zip(starts, ends, strict=bool(starts)):
        yield listed(Block(BlockKind.LIST_ITEM, text=flowing("\n".join(lines[start:end]))))


def paragraph(raw: str) -> Block:
    """The block of a paragraph in Markdown."""
    if _IMAGE.fullmatch(raw):
        return Block(BlockKind.PICTURE, text=flowing(raw))
    if _PAGE_NUMBER.fullmatch(raw):
        return Block(BlockKind.PAGE_FOOTER, text=flowing(raw))
    if found := _NOTE.match(raw):
        marker = (found["name"] or found["raised"] or found["sign"]).removeprefix("\\")
        return Block(BlockKind.FOOTNOTE, text=flowing(raw[found.end() :]), marker=marker)
    return Block(BlockKind.PARAGRAPH, text=flowing(raw))


def listed(block: Block) -> Block:
    """An item of a list: its marker is taken from its text, if it has none."""
    found = _MARKER.match(block.text) if block.marker is None else None
    text = block.text[found.end() :] if found else block.text
    return replace(block, text=text, marker=found[1] if found else block.marker, depth=block.depth or 1)


def flowing(raw: str) -> str:
    """The text of a paragraph in Markdown. Its lines are joined, but for hard breaks and for short lines."""
    parts = _HARD_BREAK.sub("\0", raw).split("\0") if "\n" in raw else [raw]
    return "\n".join(filter(None, (_joined(bare_text(part)) for part in parts)))


def bare_text(raw: str) -> str:
    """Text without the marks of Markdown, as a reader of it sees it. Formulas stay LaTeX between dollars."""
    if not _MARK.search(raw):
        return raw
    parts = _DOLLAR.split(_REFERENCE.sub(r"\1", inline(raw)))
    for index in range(0, len(parts), 2):
        parts[index] = _ESCAPED.sub(r"\1", _CODE.sub(r"\1", _EMPHASIS.sub(r"\1", parts[index])))
    return "$".join(parts)


def _joined(text: str) -> str:
    """The lines of a text as one, if most fill it; they end where the paper's did."""
    lines = [line for line in (" ".join(line.split()) for line in text.split("\n")) if line]
    if len(lines) < 2:
        return lines[0] if lines else ""
    longest = max(map(len, lines), default=0)
    full = sum(len(line) >= _FULL * longest for line in lines[:-1])
    return join_lines(lines) if 2 * full >= len(lines) - 1 else "\n".join(lines)
