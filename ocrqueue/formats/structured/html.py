"""HTML5 of a whole document. Nothing of the text can act as HTML, and the file loads and runs nothing."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from html import escape
from typing import Any, TextIO

from ocrqueue.blocks import BlockKind
from ocrqueue.formats.hocr import language_of
from ocrqueue.formats.structured.figures import Figure, with_captions
from ocrqueue.formats.structured.flow import PageStart, Part, flow
from ocrqueue.formats.structured.grid import grid_of
from ocrqueue.formats.structured.html_table import html_table
from ocrqueue.formats.structured.markers import Number, is_bullet, number_of
from ocrqueue.formats.structured.notes import MARK
from ocrqueue.pages import is_right_to_left
from ocrqueue.storage.values import clean_text

_DEEPEST = 6  # levels of headings
_HEAD = """\
<!DOCTYPE html>
<html{language}>
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{name}</title>
<style>
body {{ max-width: 48rem; margin: 2rem auto; padding: 0 1rem; font-family: serif; line-height: 1.5; }}
table {{ border-collapse: collapse; margin: 1rem 0; }}
th, td {{ border: 1px solid; padding: 0.2rem 0.5rem; vertical-align: top; text-align: start; }}
figure {{ margin: 1rem 0; }}
pre {{ overflow-x: auto; }}
[role="doc-footnote"], header, footer {{ font-size: smaller; }}
[role="doc-pagebreak"] {{ border-top: 1px dotted; margin: 1rem 0; }}
</style>
</head>
<body>
<main>
"""


def write_html(stream: TextIO, header: Mapping[str, Any], pages: Iterable[Mapping[str, Any]]) -> None:
    """Write a result as HTML, page by page. The blocks of a page that has none are found by rules."""
    language = language_of(header)
    name = clean_text(str(header["source"]["name"] or "")) or "document"
    about = f' lang="{escape(language)}"' if language else ""
    stream.write(_HEAD.format(language=about, name=escape(" ".join(name.split()))))
    writer = _Writer()
    for item in with_captions(flow(pages, bool(header["options"].get("keep_running_heads")))):
        stream.writelines(line + "\n" for line in writer.written(item))
    stream.writelines(line + "\n" for line in writer.end())
    stream.write("</main>\n</body>\n</html>\n")


@dataclass(slots=True)
class _List:
    """An open list, whose last item is open."""

    name: str  # "ol" or "ul"
    style: str | None  # see `Number`
    last: Number | None


class _Writer:
    """Writes items one after another."""

    def __init__(self) -> None:
        self._has_title = False
        self._sections: list[int] = []  # levels of the open sections
        self._lists: list[_List] = []

    def written(self, item: Part | PageStart | Figure) -> Iterator[str]:
        """The lines of an item, after what it closes."""
        if isinstance(item, PageStart):
            yield from _page_start(item)  # may stand in an open list item
        elif isinstance(item, Figure):
            yield from self._close_lists()
            yield from _figure(item)
        elif item.kind == BlockKind.LIST_ITEM:
            yield from self._item(item)
        elif item.kind in (BlockKind.TITLE, BlockKind.HEADING):
            yield from self._close_lists()
            yield from self._heading(item)
        else:
            yield from self._close_lists()
            yield from _lines(item)

    def end(self) -> Iterator[str]:
        """What closes the open elements."""
        yield from self._close_lists()
        yield from ("</section>" for _ in self._sections)

    def _heading(self, part: Part) -> Iterator[str]:
        if not part.text.strip():
            return
        is_title = part.kind == BlockKind.TITLE
        self._has_title |= is_title
        level = 0 if is_title else max(part.level or 1, 1)
        while self._sections and self._sections[-1] >= level:
            self._sections.pop()
            yield "</section>"
        if not is_title:
            self._sections.append(level)
            yield "<section>"
        name = f"h{1 if is_title else min(level + self._has_title, _DEEPEST)}"
        yield _element(name, " ".join(part.text.split()))

    def _item(self, part: Part) -> Iterator[str]:
        depth = min(max(part.depth or 1, 1), len(self._lists) + 1)
        yield from self._close_lists(depth)
        before = self._lists[depth - 1] if depth <= len(self._lists) else None
        number = number_of(part.marker, before.last if before else None)
        name, style = ("ol", number.style) if number else ("ul", None)
        if before and (before.name, before.style) == (name, style):
            yield "</li>"
        else:
            if before:
                yield from self._close_lists(depth - 1)
            before = _List(name, style, None)
            self._lists.append(before)
            yield f'<{name} type="{style}">' if style not in (None, "1") else f"<{name}>"
        value = ""
        if number and number.value != (before.last.value if before.last else 0) + 1:
            value = f' value="{number.value}"'
        before.last = number
        text = part.text if number or is_bullet(part.marker) else f"{part.marker} {part.text}"
        yield f"<li{value}{_direction(text)}>{_inside(text)}"

    def _close_lists(self, depth: int = 0) -> Iterator[str]:
        """Close the lists that are deeper than `depth`."""
        while len(self._lists) > depth:
            yield f"</li></{self._lists.pop().name}>"


def _page_start(start: PageStart) -> Iterator[str]:
    about = f'id="page-{start.number}" role="doc-pagebreak" aria-label="{start.number}"'
    if start.error:
        yield f"<div {about}>Page {start.number} was not read: {start.error}</div>"
    else:
        yield f"<div {about}></div>"
    yield from (f"<!-- page {start.number}: {code} -->" for code in start.warnings)


def _figure(figure: Figure) -> Iterator[str]:
    caption = f"<figcaption{_direction(figure.caption.text)}>{_inside(figure.caption.text)}</figcaption>"
    yield "<figure>"
    if figure.is_above:
        yield caption
    yield from _lines(figure.part)
    if not figure.is_above:
        yield caption
    yield "</figure>"


def _lines(part: Part) -> Iterator[str]:
    """A part that is neither heading nor list item; nothing if it has no text."""
    if part.kind == BlockKind.TABLE and part.cells:
        yield from html_table(grid_of(part.cells))
    elif not part.text.strip():
        return
    elif part.kind == BlockKind.FOOTNOTE:
        yield _note(part)
    elif part.kind == BlockKind.CODE:
        yield f"<pre><code>{_inside(part.text, line_end=chr(10))}</code></pre>"
    elif part.kind == BlockKind.FORMULA:
        yield _element("p", part.text, ' class="formula"')
    elif part.kind in (BlockKind.PAGE_HEADER, BlockKind.PAGE_FOOTER):
        yield _element("header" if part.kind == BlockKind.PAGE_HEADER else "footer", part.text)
    else:
        yield _element("p", part.text)


def _note(part: Part) -> str:
    """A note, with a link back to the mark that refers to it."""
    about, marker = ' role="doc-footnote"' + _direction(part.text), escape(part.marker or "")
    if part.label is not None:
        about = f' id="note-{part.label}"{about}'
        marker = f'<a href="#ref-{part.label}" role="doc-backlink">{marker}</a>'
    return f"<aside{about}><sup>{marker}</sup> {_inside(part.text)}</aside>"


def _element(name: str, text: str, about: str = "") -> str:
    return f"<{name}{about}{_direction(text)}>{_inside(text)}</{name}>"


def _direction(text: str) -> str:
    return ' dir="rtl"' if is_right_to_left(text) else ""


def _inside(text: str, line_end: str = "<br>\n") -> str:
    """A text as HTML; its marks are links to their notes."""
    lines = text.split("\n") if line_end == "\n" else [line.strip() for line in text.split("\n") if line.strip()]
    return MARK.sub(
        r'<sup><a id="ref-\1" href="#note-\1" role="doc-noteref">\2</a></sup>', line_end.join(map(escape, lines))
    )
