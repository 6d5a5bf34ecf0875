"""Texts and numbers as results hold them: valid in JSON, XML and HTML."""

import json
import math
import re
from collections.abc import Iterable
from json import decoder
from typing import Any

from ocrqueue.geometry import Point, Quad

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_LONG = 1 << 18  # characters of JSON, which take some milliseconds
_decoder: Any = decoder  # with two functions that type checkers do not know
_NO_CHARACTER = re.compile(r"[\ud800-\udfff\ufffe\uffff]")


def clean_text(text: str) -> str:
    r"""The text without characters that are not valid in JSON, XML or HTML.

    Line ends become \n. Control characters other than \n and \t are removed; so is \f, which separates pages in plain
    text. Code points that are no characters, such as half a surrogate pair, become U+FFFD.
    """
    if text.replace("\n", "").isprintable():  # as nearly every text is: it has none of them
        return text
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return _NO_CHARACTER.sub("\ufffd", _CONTROL.sub("", text))


def rounded(value: float | None, digits: int) -> float | None:
    """The number rounded; an int if it is whole. None for NaN and infinity, which JSON does not have."""
    if value is None or not math.isfinite(value):
        return None
    short = round(float(value), digits)
    return int(short) if short.is_integer() else short


def rounded_corners(box: Iterable[Point]) -> list[list[float]]:
    """The corners of a box, rounded to tenths as by `rounded`; 0 for NaN and infinity."""
    found: list[list[float]] = []
    for x, y in box:
        if math.isfinite(x) and math.isfinite(y):  # as nearly always: this takes half the time
            a, b = round(float(x), 1), round(float(y), 1)
            found.append([int(a) if a.is_integer() else a, int(b) if b.is_integer() else b])
        else:
            found.append([rounded(x, 1) or 0, rounded(y, 1) or 0])
    return found


def quad_of(box: Iterable[Iterable[float]]) -> Quad:
    """The box of a line or block of a result. One without four corners, an error of an engine, is a point."""
    corners: list[Point] = [(x, y) for x, y in box]
    a, b, c, d = corners if len(corners) == 4 else [(0.0, 0.0)] * 4
    return a, b, c, d


def parsed(text: str) -> Any:
    """What `json.loads` returns for the JSON of a page. Raises ValueError.

    A long one is parsed line by line, because the C code that parses JSON lets no other thread run meanwhile: a page of
    ten thousand lines would hold a process, with all its requests or leases, for a tenth of a second.
    """
    if len(text) < _LONG or not text.startswith("{"):
        return json.loads(text)
    scan = _decoder.JSONDecoder().scan_once

    def value(text: str, at: int) -> Any:
        return _decoder.JSONArray((text, at + 1), scan) if text[at : at + 1] == "[" else scan(text, at)

    found, end = _decoder.JSONObject((text, 1), True, value, None, None)
    if text[end:].strip():
        raise ValueError("there is more after the end")
    return found
