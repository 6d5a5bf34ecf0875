"""The parser for DocTags, the notation of Granite-Docling and SmolDocling."""

import re

from ocrqueue.engines.mlx.markup.boxes import box_of
from ocrqueue.engines.mlx.markup.marks import after_marks, before_marks
from ocrqueue.engines.mlx.markup.parsed import Parsed, joined, page_of
from ocrqueue.engines.mlx.markup.plain import plain
from ocrqueue.engines.mlx.markup.tables import otsl
from ocrqueue.engines.mlx.view import View
from ocrqueue.pages import Line

_GRID = 500  # docling-core's locations are parts of 500

_DOCTAGS = (
    "doctag text paragraph title caption footnote formula code list_item page_footer page_header picture chart table "
    "otsl document_index inline reference form key_value_region checkbox_selected checkbox_unselected page_break "
    r"smiles ordered_list unordered_list section_header_level_\d loc_\d+ _[^<>]+_"  # the last is the language of code
)
_DOCTAG = re.compile(rf"</?(?:{_DOCTAGS.replace(' ', '|')})>")


def doctags(answer: str, view: View) -> Parsed:
    """Granite-Docling and SmolDocling: `<kind><loc_l><loc_t><loc_r><loc_b>text</kind>`; places on a grid of 500.

    The names are those of docling-core's `DocumentToken`. Places are optional; lists and `inline` contain elements.
    """
    answer = re.sub(r"</?doctag>|</?(?:un)?ordered_list>|<page_break>|<end_of_utterance>|<\|end_of_text\|>", "", answer)
    tag = re.compile(r"<([a-z_]+\d?)>((?:<loc_\d+>)*)(.*?)</\1>", re.DOTALL)
    lines, parts = [], []
    for before, found in [*before_marks(tag, answer), (after_marks(tag, answer), None)]:
        parts.append(_DOCTAG.sub("", before))  # text outside of elements, or cut off
        if found is None or not (content := _doctag(found[1], re.sub(r"<loc_\d+>", "", found[3]))):
            continue
        parts.append(content)
        if box := box_of(re.findall(r"\d+", found[2]), view, _GRID):
            lines.append(Line(plain(content), box))
    return page_of(lines, joined(parts))


def _doctag(kind: str, body: str) -> str:
    """An element of a page as Markdown."""
    if kind in ("picture", "chart"):
        caption = re.search(r"<caption>(.*?)</caption>", body, re.DOTALL)
        return _DOCTAG.sub("", caption[1]).strip() if caption else ""
    if kind in ("otsl", "document_index"):
        return otsl(body)
    content = _DOCTAG.sub("", body).strip()
    if kind == "inline" or "<inline>" in body:
        content = " ".join(content.split())
    if not content:
        return ""
    if kind.startswith("section_header_level_"):
        return "#" * (int(kind[-1]) + 1) + " " + content
    around = {
        "title": "# {}", "list_item": "- {}", "formula": "$$\n{}\n$$", "code": "```\n{}\n```",
        "checkbox_selected": "- [x] {}", "checkbox_unselected": "- [ ] {}",
    }  # fmt: skip
    return around.get(kind, "{}").format(content.removeprefix("- ") if kind == "list_item" else content)
