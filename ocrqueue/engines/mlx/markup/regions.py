"""Parsers for lines of text that are each followed by their place."""

import re
from collections.abc import Iterator

from ocrqueue.engines.mlx.markup.boxes import NUMBER, THOUSANDTHS, box_of, numbers_in, quad_of
from ocrqueue.engines.mlx.markup.parsed import Parsed, lines_of
from ocrqueue.engines.mlx.view import View

_FLORENCE = re.compile(r"(?:<loc_-?\d+>)+")
_FLORENCE_MARKS = re.compile(r"</?s>|<pad>")
_PADDLE = re.compile(r"(?:<\|LOC_-?\d+\|>)+")
_PADDLE_MARKS = re.compile(r"<\|(?:TEXT_START|TEXT_END|LOC_BEGIN|LOC_END|LOC_SEP)\|>")
_POINT = rf"\(\s*{NUMBER}\s*,\s*{NUMBER}\s*\)"
_HUNYUAN = re.compile(rf"{_POINT}\s*,\s*{_POINT}")


def florence(answer: str, view: View) -> Parsed:
    """Florence-2: a text and then eight `<loc_n>`: four corners in bins, 1000 for the width and 1000 for the height.

    A corner is in the middle of its bin, as `dequantize` of the authors' processor says.
    """
    answer = _FLORENCE_MARKS.sub("", answer)
    return lines_of((text, quad_of([n + 0.5 for n in at], view, THOUSANDTHS)) for text, at in _lines(_FLORENCE, answer))


def spotting(answer: str, view: View) -> Parsed:
    """HunyuanOCR and PaddleOCR-VL: texts with places in thousandths of width and height.

    HunyuanOCR writes `text(x1,y1),(x2,y2)`; PaddleOCR-VL, asked for `Spotting:`, the text and then eight `<|LOC_n|>`
    (four corners), with or without `<|TEXT_START|>`, `<|TEXT_END|>`, `<|LOC_BEGIN|>` and `<|LOC_END|>` around them.
    """
    if "<|LOC_" in answer or "<|TEXT_" in answer:
        answer = _PADDLE_MARKS.sub("", answer)
        return lines_of((text, quad_of(at, view, THOUSANDTHS)) for text, at in _lines(_PADDLE, answer))
    return lines_of((text.strip(" \n,;"), box_of(at, view, THOUSANDTHS)) for text, at in _lines(_HUNYUAN, answer))


def _lines(mark: "re.Pattern[str]", answer: str) -> Iterator[tuple[str, list[float]]]:
    """Each text with the numbers of the mark after it; the last may have none."""
    end = 0
    for found in mark.finditer(answer):
        yield answer[end : found.start()], numbers_in(found[0])
        end = found.end()
    yield answer[end:], []
