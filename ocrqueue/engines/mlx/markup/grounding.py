"""The parser for texts with boxes in the notations of DeepSeek-OCR and of Unlimited-OCR."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from ocrqueue.blocks import BlockKind
from ocrqueue.engines.mlx.markup.blocks import kind_of
from ocrqueue.engines.mlx.markup.boxes import around, box_of, numbers_in
from ocrqueue.engines.mlx.markup.formulas import formula
from ocrqueue.engines.mlx.markup.parsed import Element, Parsed, page_of
from ocrqueue.engines.mlx.view import View

_GRID = 999  # coordinates run from 0 to 999
_KINDS = frozenset(
    "title sub_title text table table_caption table_footnote image image_caption image_footnote figure figure_caption "
    "equation equation_number formula formula_number list list_item code algorithm header footer page_number "
    "page_header page_footer page_footnote footnote reference references seal chart aside_text abstract".split()
)
_FORMULAS = ("equation", "formula")
_HEADINGS = {"title": "# ", "sub_title": "## "}
_INSIDE = r"((?:[^<]|<(?!\|))*)"
_MARK = re.compile(rf"<\|ref\|>{_INSIDE}<\|/ref\|>\s*(?:<\|det\|>{_INSIDE}<\|/det\|>)?|<\|det\|>{_INSIDE}<\|/det\|>")
_PLACE = re.compile(r"(?>\s*)((?>[a-z_]*))((?:[\s\d.,+\-\[\]()]|nan|inf)*)")  # the kind may be inside
_CUT_TAG = re.compile(r"<(?:\|(?:/?(?:r|re|ref|d|de|det)?\|?)?)?\Z")
_CUT_MARK = re.compile(r"<\|(?:ref|det)\|>(?>\s*)([a-z_]*)\s*(?:\[[\s\d.,\-\[\]]*)?\Z")
_LEFT_OVER = re.compile(r"<\|/?(?:ref|det|grounding)\|>")


@dataclass(frozen=True, slots=True)
class _Part:
    """What stands after one mark, up to the next."""

    label: str  # a kind, or the text itself if DeepSeek-OCR was asked to locate texts
    coordinates: str
    body: str


def grounded(answer: str, view: View) -> Parsed:
    """DeepSeek-OCR and Unlimited-OCR: Markdown after marks with a kind and a box, from 0 to 999.

    DeepSeek-OCR writes `<|ref|>kind<|/ref|><|det|>[[x1, y1, x2, y2]]<|/det|>`, with more than one box for a text in
    columns; the block gets the box around all. Unlimited-OCR writes `<|det|>kind [x1, y1, x2, y2]<|/det|>`.
    """
    parts = list(_parts(answer))
    # Asked to locate texts, DeepSeek-OCR puts the text where the kind is, and nothing after the mark.
    is_located = any(part.label and part.label not in _KINDS and not part.body for part in parts)
    return page_of(_block(part, is_located, view) for part in parts)


def _parts(answer: str) -> Iterator[_Part]:
    answer = _CUT_TAG.sub("", answer) if not answer.endswith("|>") else answer
    cut = _CUT_MARK.search(answer)
    if cut and any(kind.startswith(cut[1]) for kind in _KINDS):
        answer = answer[: cut.start()]
    label = coordinates = ""
    end = 0
    for found in _MARK.finditer(answer):
        yield _Part(label, coordinates, _LEFT_OVER.sub("", answer[end : found.start()]).strip())
        end = found.end()
        label, where = (found[1] or "").strip(), found[2] or found[3] or ""
        if place := _PLACE.fullmatch(where):
            label, coordinates = label or place[1], place[2]
        else:  # words where the coordinates should be
            label, coordinates = f"{label} {where}".strip(), ""
    yield _Part(label, coordinates, _LEFT_OVER.sub("", answer[end:]).strip())


def _block(part: _Part, is_located: bool, view: View) -> Element:
    is_kind = part.label in _KINDS or (bool(part.body) and re.fullmatch("[a-z_]*", part.label) is not None)
    content = part.body if is_kind and not (is_located and not part.body) else f"{part.label}\n{part.body}".strip()
    if is_kind and part.label in _FORMULAS:
        content = formula(content)
    elif is_kind and part.body and not content.startswith("#"):
        content = _HEADINGS.get(part.label, "") + content
    kind = BlockKind.HEADING if part.label in _HEADINGS else kind_of(part.label)  # every heading may be a title
    return Element(content, box_of(around(numbers_in(part.coordinates)), view, _GRID), kind if is_kind else None)
