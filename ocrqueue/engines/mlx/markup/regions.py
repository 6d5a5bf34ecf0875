"""Parsers for lines of text that are each followed by their place."""

import re

from ocrqueue.engines.mlx.markup.boxes import THOUSANDTHS, box_of, share
from ocrqueue.engines.mlx.markup.marks import before_marks
from ocrqueue.engines.mlx.markup.parsed import Parsed
from ocrqueue.engines.mlx.markup.prose import text
from ocrqueue.engines.mlx.view import View
from ocrqueue.pages import Line, PageText


def florence(answer: str, view: View) -> Parsed:
    """Florence-2: a text and then eight `<loc_n>`: four corners in thousandths of width and height."""
    answer = re.sub(r"</?s>|<pad>", "", answer)
    lines = _quadrangles(r"(?:<loc_\d+>){8}", answer, view)
    return Parsed(PageText(lines)) if lines else text(re.sub(r"<loc_\d+>", "", answer), view)


def spotting(answer: str, view: View) -> Parsed:
    """HunyuanOCR and PaddleOCR-VL: texts with places in thousandths of width and height.

    HunyuanOCR writes `text(x1,y1),(x2,y2)`; PaddleOCR-VL, asked for `Spotting:`, the text and then eight `<|LOC_n|>`
    (four corners), with or without `<|TEXT_START|>`, `<|TEXT_END|>`, `<|LOC_BEGIN|>` and `<|LOC_END|>` around them.
    """
    if "<|LOC_" in answer:
        answer = re.sub(r"<\|(?:TEXT_START|TEXT_END|LOC_BEGIN|LOC_END|LOC_SEP)\|>", "", answer)
        lines = _quadrangles(r"(?:<\|LOC_\d+\|>){8}", answer, view)
        return Parsed(PageText(lines)) if lines else text(re.sub(r"<\|LOC_\d+\|>", "", answer), view)
    pattern = r"\(\s*(\d+)\s*,\s*(\d+)\s*\)\s*,\s*\(\s*(\d+)\s*,\s*(\d+)\s*\)"
    lines = [
        Line(content.strip(" \n,;"), box)
        for content, place in before_marks(pattern, answer)
        if content.strip(" \n,;") and (box := box_of(place.groups(), view, THOUSANDTHS))
    ]
    return Parsed(PageText(lines)) if lines else text(answer, view)


def _quadrangles(mark: str, answer: str, view: View) -> list[Line]:
    """Lines that are each followed by eight numbers: four corners in thousandths of width and height."""
    lines = []
    for content, place in before_marks(mark, answer):
        numbers = [int(n) for n in re.findall(r"\d+", place[0])]
        points = [share(x, y, view, THOUSANDTHS) for x, y in zip(numbers[::2], numbers[1::2], strict=True)]
        if content.strip():
            lines.append(Line(content.strip(), (points[0], points[1], points[2], points[3])))
    return lines
