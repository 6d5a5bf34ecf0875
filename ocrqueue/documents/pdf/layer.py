"""Whether the text that a PDF page brings along can be used, and what has to be read beside it."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ocrqueue.documents.pdf.characters import is_unmapped
from ocrqueue.documents.pdf.painting import Painting
from ocrqueue.documents.pdf.plausible import is_gibberish
from ocrqueue.documents.pdf.text import TextRun, page_contents
from ocrqueue.geometry import Rect, area, bounds, intersection, union

_MAX_JUNK = 0.3  # of the characters; with more, the whole page is read
_MAX_UNMAPPED = 0.1  # of a line's characters
_ORNAMENTS = 2  # characters; so few are bullets, ticks or arrows
_FULL = 0.85  # of the page: a scan
_FEW = 50  # characters on top of a scan: a stamp, a page number
_LARGE = 0.15  # of the page: such an image is read unless it is empty
_MIN_SIDES = (20.0, 6.0)  # points: a smaller image holds no text
_EDGE = 6.0  # points: frames and shadows lie so near to the edge of an image
_NEAR = 3.0  # points: parts of one image are no further apart
_MANY = 400  # images; not worth telling apart
_PAPER = 24  # of 255: how far the paper's grey may vary
_INK = 60  # of 255: how far ink is from paper
_MIN_PAPER = 0.5  # of the pixels; photographs have less
_MAX_INK = 0.4  # of the pixels
_CROSSINGS, _ROWS = 6, 4  # edges of strokes in a row; rows


@dataclass(frozen=True, slots=True)
class Usable:
    """The part of a page's own text that can be used. Boxes in points of the upright page."""

    runs: list[TextRun]
    unread: list[Rect]  # places whose text is not in `runs`


def usable_text(page: Any) -> Usable | None:
    """What can be used of the text of a page of PyMuPDF; None where the page has to be read."""
    contents = page_contents(page)
    if contents is None or not contents.runs:
        return None
    good, junk = _sorted_out(contents.runs)
    count = sum(run.size for run in good)
    if count == 0 or sum(run.size for run in junk) > _MAX_JUNK * sum(run.size for run in contents.runs):
        return None
    if is_gibberish("\n".join(run.text for run in good)) or contents.glyph_paths > count:
        return None
    whole = (0.0, 0.0, page.rect.width, page.rect.height)
    images = _regions([intersection(box, whole) for box in contents.images])
    if count < _FEW and any(area(box) > _FULL * area(whole) for box in images):
        return None
    if images:
        contents.grey.paint_over(bounds(run.quad) for run in good)
    large = [box for box in images if _filled(box, contents.images) >= _LARGE * area(whole)]
    unread = [box for box in images if _may_hold_text(box, contents.grey, is_large=box in large)]
    if any(run.size > _ORNAMENTS for run in junk):
        unread += [bounds(run.quad) for run in junk]
    return Usable(good, unread)


def _sorted_out(runs: list[TextRun]) -> tuple[list[TextRun], list[TextRun]]:
    """Lines that can be used, and lines of fonts whose characters cannot be told."""
    by_font: dict[str, list[str]] = defaultdict(list)
    for run in runs:
        for font, text in run.fonts.items():
            by_font[font].append(text)
    bad = {font for font, texts in by_font.items() if is_gibberish("\n".join(texts))}
    good: list[TextRun] = []
    junk: list[TextRun] = []
    for run in runs:
        lost = sum(len(text.strip()) for font, text in run.fonts.items() if font in bad)
        is_junk = lost > run.size / 2 or not run.text or _is_unmapped(run)
        (junk if is_junk else good).append(run)
    return good, junk


def _is_unmapped(run: TextRun) -> bool:
    """Whether too many of a line's characters stand for nothing; one may be an ornament."""
    lost = sum(is_unmapped(c) for text in run.fonts.values() for c in text)
    return lost > _ORNAMENTS and lost > _MAX_UNMAPPED * run.size


def _regions(images: Iterable[Rect]) -> list[Rect]:
    """The images on the page, those that touch made one."""
    found: list[Rect] = []
    for image in images:
        if not area(image):
            continue
        box = image
        while near := [other for other in found if _touch(box, other) or len(found) > _MANY]:
            found = [other for other in found if other not in near]
            box = union([box, *near])
        found.append(box)
    return found


def _filled(region: Rect, images: Iterable[Rect]) -> float:
    """How much of a region its images fill, at most all of it."""
    return min(area(region), sum(area(intersection(image, region)) for image in images))


def _may_hold_text(box: Rect, grey: Painting, *, is_large: bool) -> bool:
    """Whether an image looks like print inside its edges; a large one may be a photograph with print on it."""
    left, top, right, bottom = box
    if right - left < _MIN_SIDES[0] or bottom - top < _MIN_SIDES[1]:
        return False
    edge = min(_EDGE, (right - left) / 4, (bottom - top) / 4)
    pixels = grey.part((left + edge, top + edge, right - edge, bottom - edge))
    if not pixels.size:
        return False
    away = np.abs(pixels.astype(np.int16) - int(np.bincount(pixels.ravel(), minlength=256).argmax()))
    ink = away > _INK
    if not (_has_strokes(ink) or _has_strokes(ink.T)):
        return False
    return is_large or (float((away <= _PAPER).mean()) >= _MIN_PAPER and float(ink.mean()) <= _MAX_INK)


def _has_strokes(ink: "np.ndarray[Any, Any]") -> bool:
    """Whether some rows of pixels cross several strokes, as rows of print do and frames do not."""
    crossings = (ink[:, 1:] != ink[:, :-1]).sum(axis=1)
    return int((crossings >= _CROSSINGS).sum()) >= _ROWS


def _touch(one: Rect, other: Rect) -> bool:
    across = one[0] - _NEAR < other[2] and other[0] - _NEAR < one[2]
    return across and one[1] - _NEAR < other[3] and other[1] - _NEAR < one[3]
