"""Whether the text of a PDF page can be used, and which parts of the page an engine has to read as well."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ocrqueue.documents.pdf.characters import is_unmapped, is_unspaced
from ocrqueue.documents.pdf.painting import Painting
from ocrqueue.documents.pdf.plausible import is_gibberish
from ocrqueue.documents.pdf.text import TextRun, page_contents
from ocrqueue.geometry import Rect, area, bounds, intersection, union

_MAX_JUNK = 0.3  # share of the characters in unusable lines; above it, an engine reads the whole page
_MAX_UNMAPPED = 0.1  # share of a line's characters without meaning; above it, the line is unusable
_ORNAMENTS = 2  # characters without meaning: so few are bullets, ticks or arrows
_FULL = 0.85  # share of the page that an image covers from which on the page is a scan
_FEW = 50  # characters: less text on top of a scan is a stamp or a page number
_STACKED = 10  # characters that are lines by themselves: fewer may be cells of a table
_LARGE = 0.15  # share of the page: an engine reads such an image unless it is empty
_MIN_SIDES = (20.0, 6.0)  # points, width and height: a smaller image contains no text
_EDGE = 6.0  # points along each edge of an image that are ignored: frames and shadows
_NEAR = 3.0  # points: images at most so far apart count as one
_MANY = 400  # images: more are merged into one, because comparing all pairs takes too long
_PAPER = 24  # of 255: the grey of the paper varies at most so much
_INK = 60  # of 255: ink differs from the paper by more
_MIN_PAPER = 0.5  # share of pixels that are paper in an image of text; photographs have less
_MAX_INK = 0.4  # share of pixels that are ink in an image of text
_CROSSINGS, _ROWS = 6, 4  # an image of text has so many edges of strokes in a row of pixels, in so many rows


@dataclass(frozen=True, slots=True)
class Usable:
    """The usable text of a page. Boxes are in points of the upright page."""

    runs: list[TextRun]
    unread: list[Rect]  # areas whose text is not in `runs`
    lost: float  # share of the words that have a character without meaning, which is in no line


def usable_text(page: Any) -> Usable | None:
    """The usable text of a page of PyMuPDF; None if an engine has to read the whole page."""
    contents = page_contents(page)
    if contents is None or not contents.runs or _is_stacked(contents.runs):
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
    kept = [*good, *junk]
    if any(run.size > _ORNAMENTS for run in junk):
        unread += [bounds(run.quad) for run in junk]
        kept = good
    lost = sum(run.lost for run in kept)
    return Usable(good, unread, lost / max(lost, sum(len(run.words) for run in kept)) if lost else 0.0)


def _is_stacked(runs: list[TextRun]) -> bool:
    """Whether most of the text is written downwards, but each character came as a line: browsers print it so."""
    count = sum(len(run.text) == 1 and is_unspaced(run.text) for run in runs)
    return count >= _STACKED and 2 * count > sum(run.size for run in runs)


def _sorted_out(runs: list[TextRun]) -> tuple[list[TextRun], list[TextRun]]:
    """The usable lines, and the lines without meaning: their fonts do not say which characters they print."""
    by_font: dict[str, list[str]] = defaultdict(list)
    for run in runs:
        for font, text in run.fonts.items():
            by_font[font].append(text)
    bad = {font for font, texts in by_font.items() if is_gibberish("\n".join(texts))}
    good: list[TextRun] = []
    junk: list[TextRun] = []
    for run in runs:
        lost = sum(len(text.strip()) for font, text in run.fonts.items() if font in bad) if bad else 0
        is_junk = lost > run.size / 2 or not run.text or _is_unmapped(run)
        (junk if is_junk else good).append(run)
    return good, junk


def _is_unmapped(run: TextRun) -> bool:
    """Whether too many characters of a line have no meaning. A few may be ornaments."""
    doubtful = [text for text in run.fonts.values() if not text.isprintable() or "\ufffd" in text]
    lost = sum(is_unmapped(c) for text in doubtful for c in text)
    return lost > _ORNAMENTS and lost > _MAX_UNMAPPED * run.size


def _regions(images: Iterable[Rect]) -> list[Rect]:
    """The images on the page. Images that touch are merged."""
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
    """The area of a region that images fill, at most the area of the region."""
    return min(area(region), sum(area(intersection(image, region)) for image in images))


def _may_hold_text(box: Rect, grey: Painting, *, is_large: bool) -> bool:
    """Whether an image looks like printed text inside its edges. A large one may be a photograph with text on it."""
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
    """Whether some rows of pixels cross several strokes: rows of text do, frames do not."""
    crossings = (ink[:, 1:] != ink[:, :-1]).sum(axis=1)
    return int((crossings >= _CROSSINGS).sum()) >= _ROWS


def _touch(one: Rect, other: Rect) -> bool:
    """Whether two boxes are at most `_NEAR` points apart."""
    across = one[0] - _NEAR < other[2] and other[0] - _NEAR < one[2]
    return across and one[1] - _NEAR < other[3] and other[1] - _NEAR < one[3]
