"""hOCR 1.2 (https://kba.github.io/hocr-spec/1.2/): XHTML with the box of every line and word."""

import math
import re
from collections.abc import Iterable, Mapping
from html import escape
from typing import Any, TextIO

from ocrqueue import __version__
from ocrqueue.blocks import BlockKind
from ocrqueue.formats.placed_blocks import PlacedBlock, placed_blocks
from ocrqueue.formats.placement import DESCENT, PlacedLine, PlacedWord, lines_of
from ocrqueue.geometry import Rect, bounds
from ocrqueue.storage.values import clean_text

_STEEP = math.pi / 4  # radians; a steeper line has the property textangle instead of baseline
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*")  # a language tag, such as "de" or "en-GB" (RFC 5646)
# The class of each block's area; areas of text contain a paragraph. hOCR has no classes for list items and notes.
_AREA, _PARAGRAPH = "ocr_carea", "ocr_par"
_CLASSES = {
    BlockKind.TITLE: "ocr_title",
    BlockKind.TABLE: "ocr_table",
    BlockKind.CAPTION: "ocr_caption",
    BlockKind.PAGE_HEADER: "ocr_header",
    BlockKind.PAGE_FOOTER: "ocr_footer",
    BlockKind.PICTURE: "ocr_photo",
    BlockKind.FORMULA: "ocr_display",
}
_STRUCTURE = f" {_AREA} {_PARAGRAPH} " + " ".join(_CLASSES.values())
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
    """Write a result as hOCR: each page is an `ocr_page` of lines and words, in areas where its blocks are known.

    The boxes of words divide their line's box; their confidence is their own, or the line's. The property
    `x_origin` says where the text of a line comes from, `x_quality` how well a page was probably read, `x_error` why it
    was not read, `x_kind` what a block is. A line without a place has the box of the page, and no words.
    """
    name = clean_text(str(header["source"]["name"] or ""))
    language = language_of(header)
    has_blocks = bool(header.get("structure"))
    stream.write(
        _HEAD.format(
            name=escape(name),
            version=escape(__version__),
            language=f' xml:lang="{language}" lang="{language}"' if language else "",
            capabilities=_STRUCTURE * has_blocks + " ocrp_lang" * bool(language),
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
    if page.get("quality") is not None:  # older versions write none
        about.append(f"x_quality {page['quality']}")
    if page["error"]:
        about.append(f"x_error {page['error']['code']}")
    stream.write(f'<div class="ocr_page" id="page_{number}" title="{escape("; ".join(about))}">\n')
    blocks = placed_blocks(page)
    if blocks is None:
        _write_lines(stream, lines_of(page), f"{number}_", whole, 1)
    else:
        _write_blocks(stream, blocks, number, whole)
    stream.write("</div>\n")


def _write_blocks(stream: TextIO, blocks: Iterable[PlacedBlock], number: int, whole: str) -> None:
    index = 1  # of the next line of the page
    for place, block in enumerate(blocks, 1):
        name = _CLASSES.get(block.kind, _AREA) if block.kind else _AREA
        about = [_rectangle(block.box) if block.box else whole, f"x_kind {block.kind or 'other'}"]
        stream.write(f'<div class="{name}" id="block_{number}_{place}" title="{"; ".join(about)}">\n')
        if name == _AREA:
            stream.write(f'<p class="{_PARAGRAPH}" id="par_{number}_{place}" title="{about[0]}">\n')
        _write_lines(stream, block.lines, f"{number}_", whole, index)
        stream.write("</p>\n</div>\n" if name == _AREA else "</div>\n")
        index += len(block.lines)


def _write_lines(stream: TextIO, lines: Iterable[PlacedLine], prefix: str, whole: str, first: int) -> None:
    """Write lines; `whole` is the box of the page, and `first` the number of the first line on it."""
    for index, line in enumerate(lines, first):
        about = _line_properties(line) if line.is_known else [whole, f"x_origin {line.origin}"]
        words = _words(line, f"{prefix}{index}") if line.is_known else escape(line.text)
        stream.write(
            f'<span class="ocr_line" id="line_{prefix}{index}" title="{escape("; ".join(about))}">{words}</span>\n'
        )


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
    return " ".join(
        f'<span class="ocrx_word" id="word_{number}_{index}" title="{_about(word)}">{escape(word.text)}</span>'
        for index, word in enumerate(line.words(), 1)
    )


def _about(word: PlacedWord) -> str:
    return _bbox(word) + ("" if word.confidence is None else f"; x_wconf {100 * word.confidence:.0f}")


def _bbox(placed: PlacedLine | PlacedWord) -> str:
    return _rectangle(bounds(placed.box))


def _rectangle(box: Rect) -> str:
    left, top, right, bottom = box
    return f"bbox {max(0, math.floor(left))} {max(0, math.floor(top))} {math.ceil(right)} {math.ceil(bottom)}"


def _quoted(name: str) -> str:
    """A file name for a property: on one line, without the characters that would end it."""
    return " ".join(name.split()).replace("\\", "/").replace('"', "'").replace(";", ",")
