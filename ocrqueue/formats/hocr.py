"""hOCR 1.2 (https://kba.github.io/hocr-spec/1.2/): XHTML with the box of every line and word."""

import math
import re
from collections.abc import Iterable, Mapping
from html import escape
from typing import Any, TextIO

from ocrqueue import __version__
from ocrqueue.formats.placement import DESCENT, PlacedLine, PlacedWord, lines_of
from ocrqueue.geometry import bounds
from ocrqueue.storage.values import clean_text

_STEEP = math.pi / 4  # radians; a steeper line has the property textangle instead of baseline
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*")  # a language tag, such as "de" or "en-GB" (RFC 5646)
_HEAD = """\
<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Transitional//EN" "http://www.w3.org/TR/xhtml1/DTD/xhtml1-transitional.dtd">
<html xmlns="http://www.w3.org/1999/xhtml"{language}>
<head>
<title>{name}</title>
<meta http-equiv="Content-Type" content="text/html; charset=utf-8"/>
<meta name="ocr-system" content="ocr-queue {version}"/>
<meta name="ocr-capabilities" content="ocr_page ocr_line ocrx_word{capabilities}"/>
<meta name="ocr-number-of-pages" content="{pages}"/>{languages}
</head>
<body>
"""


def write_hocr(stream: TextIO, header: Mapping[str, Any], pages: Iterable[Mapping[str, Any]]) -> None:
    """Write a result as hOCR: each page is an `ocr_page` of lines and words.

    The boxes of words divide their line's box; their confidence is the line's. The property `x_origin` says where the
    text of a line comes from, and `x_error` why a page was not read. A line without a place has the box of the page,
    and no words.
    """
    name = clean_text(str(header["source"]["name"] or ""))
    language = language_of(header)
    stream.write(
        _HEAD.format(
            name=escape(name),
            version=escape(__version__),
            language=f' xml:lang="{language}" lang="{language}"' if language else "",
            capabilities=" ocrp_lang" if language else "",
            languages=f'\n<meta name="ocr-langs" content="{language}"/>' if language else "",
            pages=sum(header["counts"].values()),
        )
    )
    for page in pages:
        _write_page(stream, page, name)
    stream.write("</body>\n</html>\n")


def language_of(header: Mapping[str, Any]) -> str | None:
    """The language option of the job, if it is a language tag; None otherwise."""
    given = header["options"].get("lang") or ""
    return given if _LANGUAGE.fullmatch(given) else None


def _write_page(stream: TextIO, page: Mapping[str, Any], name: str) -> None:
    number = page["page"]
    whole = f"bbox 0 0 {page['width'] or 0} {page['height'] or 0}"
    about = [f'image "{_quoted(name)}"', whole, f"ppageno {number - 1}"]
    if page["dpi"]:
        about.append(f"scan_res {page['dpi']} {page['dpi']}")
    if page["error"]:
        about.append(f"x_error {page['error']['code']}")
    stream.write(f'<div class="ocr_page" id="page_{number}" title="{escape("; ".join(about))}">\n')
    for index, line in enumerate(lines_of(page), 1):
        about = _line_properties(line) if line.is_known else [whole, f"x_origin {line.origin}"]
        words = _words(line, f"{number}_{index}") if line.is_known else escape(line.text)
        stream.write(
            f'<span class="ocr_line" id="line_{number}_{index}" title="{escape("; ".join(about))}">{words}</span>\n'
        )
    stream.write("</div>\n")


def _line_properties(line: PlacedLine) -> list[str]:
    found = [_bbox(line), f"x_size {line.height:.1f}", f"x_origin {line.origin}"]
    if abs(line.angle) > _STEEP:
        found.append(f"textangle {-math.degrees(line.angle) % 360:.1f}")  # counterclockwise
    else:
        found.append(f"baseline {_baseline(line)}")
    return found


def _baseline(line: PlacedLine) -> str:
    """The slope of the baseline, and its offset in pixels from the lower left corner of the line's bbox."""
    left, _, _, bottom = bounds(line.box)
    slope = math.tan(line.angle)
    x, y = line.box[3]
    y -= DESCENT * line.height * math.cos(line.angle)
    x += DESCENT * line.height * math.sin(line.angle)
    return f"{slope:.4f} {y - slope * (x - left) - bottom:.0f}"


def _words(line: PlacedLine, number: str) -> str:
    sure = "" if line.confidence is None else f"; x_wconf {100 * line.confidence:.0f}"
    return " ".join(
        f'<span class="ocrx_word" id="word_{number}_{index}" title="{_bbox(word)}{sure}">{escape(word.text)}</span>'
        for index, word in enumerate(line.words(), 1)
    )


def _bbox(placed: PlacedLine | PlacedWord) -> str:
    left, top, right, bottom = bounds(placed.box)
    return f"bbox {max(0, math.floor(left))} {max(0, math.floor(top))} {math.ceil(right)} {math.ceil(bottom)}"


def _quoted(name: str) -> str:
    """A file name for a property: on one line, without the characters that would end it."""
    return " ".join(name.split()).replace("\\", "/").replace('"', "'").replace(";", ",")
