"""The parser for DocTags, the notation of Granite-Docling and SmolDocling."""

import re
from dataclasses import dataclass, field

from ocrqueue.engines.mlx.markup.blocks import kind_of
from ocrqueue.engines.mlx.markup.boxes import box_of
from ocrqueue.engines.mlx.markup.formulas import formula
from ocrqueue.engines.mlx.markup.parsed import Element, Parsed, page_of
from ocrqueue.engines.mlx.markup.tables.from_otsl import has_otsl, joined, read_otsl, without_tags
from ocrqueue.engines.mlx.markup.tables.table import as_markdown, literal
from ocrqueue.engines.mlx.view import View

_GRID = 500  # docling-core's locations are parts of 500
_KINDS = (
    "text paragraph title caption footnote formula code list_item page_footer page_header picture chart table otsl "
    "document_index inline reference form key_value_region checkbox_selected checkbox_unselected smiles "
    r"handwritten_text section_header_level_\d (?:key|value)_\d+"
)
_WITHOUT_MEANING = r"</?doctag>|<(?:page_break|end_of_utterance|\|end_of_text\||link_\d+)>"
_LIST = r"<(/?)((?:un)?ordered)_list>"
_TOKEN = re.compile(rf"<(/?)({_KINDS.replace(' ', '|')})>|<loc_(\d+)/?>|{_LIST}|{_WITHOUT_MEANING}")
_LANGUAGE = re.compile(r"\A\s*<_[^<>\s]+_>")  # of code
_CLASS = re.compile(r"\A\s*<(?!(?:[flux]cel|ecel|[cr]hed|srow|nl)>)[a-z_]+>")  # what a picture shows
_CELLS = ("otsl", "document_index", "table")
_RAW = ("formula", "code", "picture", "chart", *_CELLS)  # become Markdown when they end, other texts at once
_APART = ("caption", "list_item", "page_header", "page_footer", "picture", "chart", *_CELLS)
_AROUND = {
    "title": "# {}", "list_item": "- {}", "code": "```\n{}\n```",
    "checkbox_selected": "- [x] {}", "checkbox_unselected": "- [ ] {}",
}  # fmt: skip
_DEEPEST = 20  # levels of elements; further ones belong to the element around them, so that no answer takes long


def doctags(answer: str, view: View) -> Parsed:
    """Granite-Docling and SmolDocling: `<kind><loc_l><loc_t><loc_r><loc_b>text</kind>`; places on a grid of 500.

    The names are those of docling-core's `DocumentToken`. Places are optional, and elements contain others. The page
    ends with the first `</doctag>`; a model that goes on writes about no page.
    """
    answer = answer.partition("</doctag>")[0]
    reader, end = _Reader(view), 0
    for found in _TOKEN.finditer(answer):
        reader.text(answer[end : found.start()])
        end = found.end()
        if found[2] and found[1]:
            reader.end(found[2])
        elif found[2]:
            reader.start(found[2])
        elif found[3]:
            reader.place(found[3])
        elif found[5]:
            reader.mark_list(bool(found[4]), found[5] == "ordered")
    reader.text(answer[end:])
    return page_of(reader.finish())


@dataclass(slots=True)
class _Element:
    """An element that is not closed yet."""

    kind: str  # empty: the page
    places: list[str] = field(default_factory=list)  # left, top, right, bottom
    texts: list[str] = field(default_factory=list)
    has_text: bool = False  # its places stand before its text; later ones are those of cells


class _Reader:
    """Takes texts and tags in order, and makes the blocks of the page."""

    def __init__(self, view: View) -> None:
        self._view = view
        self._blocks: list[Element] = []
        self._open = [_Element("")]
        self._lists: list[int | None] = []  # for each open list: the number of its last item; None: it has bullets

    def text(self, text: str) -> None:
        is_raw = any(element.kind in _RAW for element in self._open)
        self._open[-1].texts.append(text if is_raw else literal(text))
        self._open[-1].has_text |= bool(text.strip())

    def place(self, number: str) -> None:
        element = self._open[-1]
        if not element.has_text and len(element.places) < 4:
            element.places.append(number)

    def mark_list(self, closes: bool, is_ordered: bool) -> None:
        """Begin or end a list."""
        if closes:
            self._lists = self._lists[:-1]
        elif len(self._lists) < _DEEPEST:
            self._lists.append(0 if is_ordered else None)

    def start(self, kind: str) -> None:
        parent = self._open[-1]
        if len(self._open) > _DEEPEST:
            return
        if not _goes_on(parent.kind, kind) and parent.kind not in (*_CELLS, "picture", "chart"):
            self._flush(parent)
        self._open.append(_Element(kind))

    def end(self, kind: str) -> None:
        """End the innermost element of a kind, and all inside it."""
        if any(element.kind == kind for element in self._open):
            while self._pop().kind != kind:
                pass

    def finish(self) -> list[Element]:
        while len(self._open) > 1:
            self._pop()
        self._flush(self._open[0])
        return self._blocks

    def _pop(self) -> _Element:
        element, parent = self._open.pop(), self._open[-1]
        if _goes_on(parent.kind, element.kind):
            parent.texts.append(f" {_in_line(element.kind, ''.join(element.texts))} ")
        else:
            self._flush(element)
        return element

    def _flush(self, element: _Element) -> None:
        content = _markdown(element.kind, "".join(element.texts))
        depth, marker = self._next_item() if element.kind == "list_item" and content else (None, None)
        box = box_of(element.places, self._view, _GRID)
        self._blocks.append(Element(content, box, kind_of(element.kind), depth, marker))
        element.texts.clear()
        if not element.kind:  # another text of the page has another place
            element.places, element.has_text = [], False

    def _next_item(self) -> tuple[int, str | None]:
        """The depth and the marker of an item of the innermost list."""
        number = self._lists[-1] if self._lists else None
        if number is None:
            return max(1, len(self._lists)), None
        self._lists[-1] = number + 1
        return len(self._lists), f"{number + 1}."


def _goes_on(parent: str, kind: str) -> bool:
    """Whether an element belongs to the text of the one around it."""
    return (parent in _CELLS and kind != "caption") or (parent in ("inline", "list_item") and kind not in _APART)


def _in_line(kind: str, body: str) -> str:
    """An element inside of a text, as Markdown."""
    content = " ".join(without_tags(_LANGUAGE.sub("", body, count=1) if kind == "code" else body).split())
    return formula(content, in_line=True) if kind == "formula" else content


def _markdown(kind: str, body: str) -> str:
    """An element of a page as Markdown; empty if it has no text."""
    if kind in ("picture", "chart"):
        body = _CLASS.sub("", body, count=1)
    if has_otsl(body):
        before, rows, after = read_otsl(body)
        return joined(literal(before), as_markdown(rows), literal(after))
    if kind == "formula":
        return formula(body)
    if kind == "code":
        body = _LANGUAGE.sub("", body, count=1)
    elif kind in _RAW:
        body = literal(body)
    content = body.strip()
    if not content:
        return ""
    if kind in ("inline", "list_item", "title") or kind.startswith("section_header"):
        content = " ".join(content.split())
    if kind.startswith("section_header"):
        return "#" * min(6, int(kind[-1]) + 1) + " " + content
    return _AROUND.get(kind, "{}").format(content.removeprefix("- ") if kind == "list_item" else content)
