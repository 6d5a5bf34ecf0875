"""Parsers for the answers of models: text, Markdown, and boxes in the notations of different models.

A parser takes a model's complete answer, and the view through which the model saw the page. An answer that is cut off
or does not follow its format becomes plain text, so that nothing is lost. The module needs no engine.
"""

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

from ocrqueue.engines.mlx.view import View
from ocrqueue.geometry import Point, Quad
from ocrqueue.pages import Line, PageText

Parser = Callable[[str, View], PageText]
_NUMBER = r"\d+(?:\.\d+)?"
_THOUSANDTHS = 1000  # coordinates of other models run from 0 to 1000
_DEEPSEEK_GRID = 999  # DeepSeek-OCR's coordinates run from 0 to 999
_DOCTAGS_GRID = 500  # docling-core's locations are parts of 500
_NEMOTRON_CANVAS = (1664, 2048)  # pixels; width and height of the image that mlx-vlm's processor makes
_PICTURES = ("image", "figure")  # DeepSeek-OCR's kinds without text


def text(answer: str, view: View) -> PageText:  # noqa: ARG001 -- every parser takes both
    """Plain text."""
    return PageText(text=answer.strip())


def markdown(answer: str, view: View) -> PageText:  # noqa: ARG001 -- every parser takes both
    """Markdown, inside a code fence or not."""
    return _page([], _unfenced(answer))


def olmocr(answer: str, view: View) -> PageText:
    """olmOCR: Markdown after YAML front matter (since July 2025), or JSON with `natural_text` (earlier models)."""
    try:
        return markdown(str(json.loads(answer)["natural_text"] or ""), view)
    except (ValueError, KeyError, TypeError, RecursionError):
        return markdown(re.sub(r"\A\s*---\n.*?\n---(?:\n|\Z)", "", answer, count=1, flags=re.DOTALL), view)


def grounded(answer: str, view: View) -> PageText:
    """DeepSeek-OCR: `<|ref|>kind<|/ref|><|det|>[[x1, y1, x2, y2]]<|/det|>`, then the text; boxes from 0 to 999.

    If the list contains several boxes, the line gets the box around all of them.
    """
    mark = re.compile(r"<\|ref\|>(.*?)<\|/ref\|>\s*<\|det\|>\s*\[(.*?)\]\s*<\|/det\|>", re.DOTALL)
    lines, parts = [], []
    for kind, where, body in _blocks(mark, answer):
        content = body.strip() or ("" if kind is None or kind in _PICTURES else kind.strip())
        if content and (box := _box(_around(re.findall(_NUMBER, where or "")), view, _DEEPSEEK_GRID)):
            lines.append(Line(_plain(content), box))
        parts.append(content)
    return _page(lines, _joined(parts))


def dots(answer: str, view: View) -> PageText:
    """dots.ocr: a JSON list of {"bbox": [x1, y1, x2, y2], "category": ..., "text": ...}; boxes in pixels it sees."""
    lines, parts = [], []
    for cell in _objects(answer):
        content = str(cell.get("text") or "").strip()
        if not content:
            continue
        parts.append(_formula(content) if cell.get("category") == "Formula" else content)
        if box := _box(cell.get("bbox") or [], view, None):
            lines.append(Line(_plain(content), box))
    return _page(lines, _joined(parts)) if parts else text("" if _is_json(answer) else answer, view)


def _formula(content: str) -> str:
    """LaTeX as a display formula of Markdown, unless it contains `$` already."""
    if "$" in content:
        return content
    return f"$$\n{content.removeprefix(chr(92) + '[').removesuffix(chr(92) + ']').strip()}\n$$"


def nemotron(answer: str, view: View) -> PageText:
    """Nemotron Parse: `<x_0.1><y_0.1>Markdown<x_0.9><y_0.2><class_Text>`; shares of a canvas of 1664 x 2048 pixels."""
    pattern = rf"<x_({_NUMBER})><y_({_NUMBER})>(.*?)<x_({_NUMBER})><y_({_NUMBER})><class_([^>]+)>"
    found = re.findall(pattern, answer, re.DOTALL)
    lines, parts = [], []
    for left, top, body, right, bottom, kind in found:
        content = body.strip()
        if not content:
            continue
        parts.append(f"# {content}" if kind == "Title" and not content.startswith("#") else content)
        corners = [_from_canvas(float(x), float(y), view) for x, y in ((left, top), (right, bottom))]
        lines.append(Line(_plain(content), _rectangle(*corners)))
    return _page(lines, _joined(parts)) if found else markdown(re.sub(r"<(?:[xy]|class)_[^>]*>", "", answer), view)


def _from_canvas(x: float, y: float, view: View) -> Point:
    """The point of the page for a point of the canvas, in shares of its sides.

    The page lies in the middle of the canvas, and is scaled down if it is larger.
    """
    width, height = view.shown
    canvas = _NEMOTRON_CANVAS
    scale = min(1.0, canvas[0] / width, canvas[1] / height)
    left, top = (canvas[0] - width * scale) / 2, (canvas[1] - height * scale) / 2
    return view.point((x * canvas[0] - left) / scale, (y * canvas[1] - top) / scale)


def florence(answer: str, view: View) -> PageText:
    """Florence-2: a text and then eight `<loc_n>`: four corners in thousandths of width and height."""
    answer = re.sub(r"</?s>|<pad>", "", answer)
    lines = _quadrangles(r"(?:<loc_\d+>){8}", answer, view)
    return PageText(lines) if lines else text(re.sub(r"<loc_\d+>", "", answer), view)


def spotting(answer: str, view: View) -> PageText:
    """HunyuanOCR and PaddleOCR-VL: texts with places in thousandths of width and height.

    HunyuanOCR writes `text(x1,y1),(x2,y2)`; PaddleOCR-VL, asked for `Spotting:`, the text and then eight `<|LOC_n|>`
    (four corners), with or without `<|TEXT_START|>`, `<|TEXT_END|>`, `<|LOC_BEGIN|>` and `<|LOC_END|>` around them.
    """
    if "<|LOC_" in answer:
        answer = re.sub(r"<\|(?:TEXT_START|TEXT_END|LOC_BEGIN|LOC_END|LOC_SEP)\|>", "", answer)
        lines = _quadrangles(r"(?:<\|LOC_\d+\|>){8}", answer, view)
        return PageText(lines) if lines else text(re.sub(r"<\|LOC_\d+\|>", "", answer), view)
    pattern = r"\(\s*(\d+)\s*,\s*(\d+)\s*\)\s*,\s*\(\s*(\d+)\s*,\s*(\d+)\s*\)"
    lines = [
        Line(content.strip(" \n,;"), box)
        for content, place in _before(pattern, answer)
        if content.strip(" \n,;") and (box := _box(place.groups(), view, _THOUSANDTHS))
    ]
    return PageText(lines) if lines else text(answer, view)


def _quadrangles(mark: str, answer: str, view: View) -> list[Line]:
    """Lines that are each followed by eight numbers: four corners in thousandths of width and height."""
    lines = []
    for content, place in _before(mark, answer):
        numbers = [int(n) for n in re.findall(r"\d+", place[0])]
        points = [_share(x, y, view, _THOUSANDTHS) for x, y in zip(numbers[::2], numbers[1::2], strict=True)]
        if content.strip():
            lines.append(Line(content.strip(), (points[0], points[1], points[2], points[3])))
    return lines


_DOCTAGS = (
    "doctag text paragraph title caption footnote formula code list_item page_footer page_header picture chart table "
    "otsl document_index inline reference form key_value_region checkbox_selected checkbox_unselected page_break "
    r"smiles ordered_list unordered_list section_header_level_\d loc_\d+ _[^<>]+_"  # the last is the language of code
)
_DOCTAG = re.compile(rf"</?(?:{_DOCTAGS.replace(' ', '|')})>")


def doctags(answer: str, view: View) -> PageText:
    """Granite-Docling and SmolDocling: `<kind><loc_l><loc_t><loc_r><loc_b>text</kind>`; places on a grid of 500.

    The names are those of docling-core's `DocumentToken`. Places are optional; lists and `inline` contain elements.
    """
    answer = re.sub(r"</?doctag>|</?(?:un)?ordered_list>|<page_break>|<end_of_utterance>|<\|end_of_text\|>", "", answer)
    tag = re.compile(r"<([a-z_]+\d?)>((?:<loc_\d+>)*)(.*?)</\1>", re.DOTALL)
    lines, parts = [], []
    for before, found in [*_before(tag, answer), (_after(tag, answer), None)]:
        parts.append(_DOCTAG.sub("", before))  # text outside of elements, or cut off
        if found is None or not (content := _doctag(found[1], re.sub(r"<loc_\d+>", "", found[3]))):
            continue
        parts.append(content)
        if box := _box(re.findall(r"\d+", found[2]), view, _DOCTAGS_GRID):
            lines.append(Line(_plain(content), box))
    return _page(lines, _joined(parts))


def _doctag(kind: str, body: str) -> str:
    """An element of a page as Markdown."""
    if kind in ("picture", "chart"):
        caption = re.search(r"<caption>(.*?)</caption>", body, re.DOTALL)
        return _DOCTAG.sub("", caption[1]).strip() if caption else ""
    if kind in ("otsl", "document_index"):
        return _otsl(body)
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


def _otsl(body: str) -> str:
    """A table in OTSL (Lysak and others, 2023) as Markdown.

    `<fcel>` is a cell, `<ecel>` an empty cell, `<ched>` and `<rhed>` are headers, `<lcel>`, `<ucel>` and `<xcel>`
    continue a cell, and `<nl>` ends a row. Continued cells become empty cells.
    """
    caption = re.search(r"<caption>(.*?)</caption>", body, re.DOTALL)
    body = re.sub(r"<caption>.*?</caption>", "", body, flags=re.DOTALL)
    rows = []
    for row in body.split("<nl>"):
        cells = re.findall(r"<(?:fcel|ecel|ched|rhed|srow|lcel|ucel|xcel)>([^<]*)", row)
        if cells:
            rows.append("| " + " | ".join(cell.strip().replace("|", r"\|") for cell in cells) + " |")
            if len(rows) == 1:
                rows.append("|" + " --- |" * len(cells))
    return "\n".join(([caption[1].strip(), ""] if caption else []) + rows)


PARSERS: dict[str, Parser] = {
    parser.__name__: parser
    for parser in (text, markdown, olmocr, grounded, dots, nemotron, florence, spotting, doctags)
}


def _blocks(mark: "re.Pattern[str]", answer: str) -> Iterator[tuple[str | None, str | None, str]]:
    """The text before the first mark, and after each mark up to the next: (kind, place, text)."""
    marks = list(mark.finditer(answer))
    yield None, None, answer[: marks[0].start() if marks else len(answer)]
    for here, following in zip(marks, [*marks[1:], None][: len(marks)], strict=True):
        yield here[1], here[2], answer[here.end() : following.start() if following else len(answer)]


def _before(mark: "str | re.Pattern[str]", answer: str) -> Iterator[tuple[str, "re.Match[str]"]]:
    """Each mark with the text between it and the mark before: (text, mark)."""
    end = 0
    for found in re.finditer(mark, answer):
        yield answer[end : found.start()], found
        end = found.end()


def _after(mark: "re.Pattern[str]", answer: str) -> str:
    """The text after the last mark; the whole answer if there is none."""
    return answer[max((found.end() for found in mark.finditer(answer)), default=0) :]


def _objects(answer: str) -> list[dict[str, Any]]:
    """The objects with a `bbox` in a JSON text. A text that is cut off yields its complete objects."""
    decoder = json.JSONDecoder()
    found, position = [], 0
    while (position := answer.find("{", position)) >= 0:
        try:
            value, position = decoder.raw_decode(answer, position)
        except (ValueError, RecursionError):
            position += 1
            continue
        found += [value] if "bbox" in value else [o for o in _values(value) if isinstance(o, dict) and "bbox" in o]
    return found


def _values(value: dict[str, Any]) -> Iterator[Any]:
    for inner in value.values():
        yield from inner if isinstance(inner, list) else [inner]


def _is_json(answer: str) -> bool:
    try:
        json.loads(answer)
    except (ValueError, RecursionError):
        return False
    return True


def _share(x: float, y: float, view: View, whole: int) -> Point:
    """The point of the page for coordinates that run from 0 to `whole`."""
    return view.point(x * view.shown[0] / whole, y * view.shown[1] / whole)


def _box(numbers: Any, view: View, whole: int | None) -> Quad | None:
    """The box of left, top, right and bottom, which run from 0 to `whole`; None: they are pixels that the model sees.

    Returns None if `numbers` are not four numbers.
    """
    try:
        left, top, right, bottom = (float(n) for n in numbers)
    except (TypeError, ValueError):
        return None
    if whole is None:
        return _rectangle(view.point(left, top), view.point(right, bottom))
    return _rectangle(_share(left, top, view, whole), _share(right, bottom, view, whole))


def _around(numbers: list[str]) -> list[float]:
    """The box around several boxes of four numbers each; unchanged if their count is no multiple of four."""
    values = [float(n) for n in numbers]
    if not values or len(values) % 4:
        return values
    return [min(values[::4]), min(values[1::4]), max(values[2::4]), max(values[3::4])]


def _rectangle(first: Point, second: Point) -> Quad:
    (x1, x2), (y1, y2) = sorted((first[0], second[0])), sorted((first[1], second[1]))
    return (x1, y1), (x2, y1), (x2, y2), (x1, y2)


def _page(lines: list[Line], content: str) -> PageText:
    return PageText(lines, text=_plain(content), markdown=content)


def _joined(parts: list[str]) -> str:
    return "\n\n".join(part for part in (p.strip() for p in parts) if part)


def _unfenced(answer: str) -> str:
    fenced = re.fullmatch(r"\s*```(?:markdown|md)?\n(.*?)\n?```\s*", answer, re.DOTALL)
    return (fenced[1] if fenced else answer).strip()


def _plain(content: str) -> str:
    """Markdown without its marks for headings, emphasis, images, fences and tables. Words do not change."""
    content = re.sub(r"!\[([^\]]*)\]\([^)]*\)", r"\1", content)
    content = re.sub(r"(?m)^ {0,3}#{1,6} +", "", content)
    content = re.sub(r"(?m)^ {0,3}(?:```.*|\|(?: *:?-+:? *\|)+) *\n?", "", content)
    content = re.sub(r"(\*\*|__)(?=\S)(.+?)(?<=\S)\1", r"\2", content)
    content = re.sub(r"(?i)</t[dh]>\s*<t[dh][^>]*>", "\t", content)
    content = re.sub(r"(?i)</tr>\s*", "\n", content)
    content = re.sub(r"</?(?:img|watermark|page_number|signature|logo)>", "", content)  # Nanonets' tags
    return re.sub(r"(?i)</?(?:table|thead|tbody|tr|t[dh]|center|sup|sub|br)\b[^>]*>", "", content).strip()
