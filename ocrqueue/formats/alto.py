"""ALTO 4.4 (https://www.loc.gov/standards/alto/): XML with the box of every line and word."""

from collections.abc import Iterable, Mapping
from itertools import pairwise
from typing import Any, TextIO
from xml.sax.saxutils import escape, quoteattr

from ocrqueue import __version__
from ocrqueue.blocks import BlockKind
from ocrqueue.formats.hocr import language_of
from ocrqueue.formats.placed_blocks import PlacedBlock, around, placed_blocks
from ocrqueue.formats.placement import PlacedLine, PlacedWord, lines_of
from ocrqueue.geometry import Rect, bounds, union
from ocrqueue.states import Origin
from ocrqueue.storage.values import clean_text

_HEAD = """\
<?xml version="1.0" encoding="UTF-8"?>
<alto xmlns="http://www.loc.gov/standards/alto/ns-v4#" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" \
xsi:schemaLocation="http://www.loc.gov/standards/alto/ns-v4# http://www.loc.gov/standards/alto/v4/alto-4-4.xsd" \
SCHEMAVERSION="4.4">
<Description>
<MeasurementUnit>pixel</MeasurementUnit>
<sourceImageInformation><fileName>{name}</fileName></sourceImageInformation>
<Processing ID="processing"><processingCategory>contentGeneration</processingCategory><processingSoftware>\
<softwareName>ocr-queue</softwareName><softwareVersion>{version}</softwareVersion></processingSoftware></Processing>
</Description>
<Tags>
<OtherTag ID="ocr" TYPE="origin" LABEL="ocr"/>
<OtherTag ID="text_layer" TYPE="origin" LABEL="text_layer"/>
{tags}</Tags>
<Layout>
"""
_TAGS = "".join(f'<LayoutTag ID="{kind}" TYPE="block" LABEL="{kind}"/>\n' for kind in BlockKind)


def write_alto(stream: TextIO, header: Mapping[str, Any], pages: Iterable[Mapping[str, Any]]) -> None:
    """Write a result as ALTO: each page is a `Page` of blocks of lines and words; one block if they are not known.

    The boxes of words divide their line's box; their confidence is their own, or the line's. A slanted line has the
    upright box around it, and its corners as a polygon. A line without a place has no box. A tag of each line says
    where its text comes from, and one of each block what it is. `ACCURACY` of a page is its quality in percent. A
    result without pages gets an empty page, because ALTO requires one.
    """
    name = clean_text(str(header["source"]["name"] or ""))
    has_blocks = bool(header.get("structure"))
    tags = _TAGS * has_blocks
    stream.write(_HEAD.format(name=escape(name), version=escape(__version__), tags=tags))
    language = language_of(header)
    count = 0
    for page in pages:
        _write_page(stream, page, language)
        count += 1
    if not count:
        stream.write('<Page ID="page_1" PHYSICAL_IMG_NR="1"/>\n')
    stream.write("</Layout>\n</alto>\n")


def _write_page(stream: TextIO, page: Mapping[str, Any], language: str | None) -> None:
    number = page["page"]
    about = {"ID": f"page_{number}", "PHYSICAL_IMG_NR": number, "WIDTH": page["width"], "HEIGHT": page["height"]}
    if page.get("quality") is not None:  # older versions write none
        about["ACCURACY"] = round(100 * page["quality"])
    if page["error"]:
        about["QUALITY_DETAIL"] = page["error"]["code"]
    blocks = placed_blocks(page)
    if blocks is None:
        lines = lines_of(page)
        blocks = [PlacedBlock(None, around(lines), lines)] if lines else []
    if not blocks:
        stream.write(f"<Page{_attributes(about)}/>\n")
        return
    about |= {"PC": page["confidence"], "LANG": language}
    boxes = [block.box for block in blocks if block.box]
    stream.write(f"<Page{_attributes(about)}>\n<PrintSpace{_place(union(boxes) if boxes else None)}>\n")
    _write_blocks(stream, blocks, number, is_known=page.get("blocks") is not None)
    stream.write("</PrintSpace>\n</Page>\n")


def _write_blocks(stream: TextIO, blocks: list[PlacedBlock], number: int, is_known: bool) -> None:
    """Write the blocks of a page. Tables and pictures are composed blocks."""
    index = 1  # of the next line of the page
    for place, block in enumerate(blocks, 1):
        name = f"{number}_{place}" if is_known else f"{number}"
        at = _place(block.box)
        tag = _attributes({"TAGREFS": block.kind})
        is_composed = block.kind in (BlockKind.TABLE, BlockKind.PICTURE)
        if is_composed:
            kind = _attributes({"ID": f"composed_{name}"}), at, tag, _attributes({"TYPE": block.kind})
            stream.write(f"<ComposedBlock{''.join(kind)}>\n")
        if block.kind == BlockKind.PICTURE and block.box:
            stream.write(f'<Illustration ID="picture_{name}"{at}/>\n')
        if block.lines or not is_composed:
            stream.write(f'<TextBlock ID="block_{name}"{at}{"" if is_composed else tag}>\n')
            for line_index, line in enumerate(block.lines, index):
                _write_line(stream, line, f"{number}_{line_index}")
            stream.write("</TextBlock>\n")
        index += len(block.lines)
        if is_composed:
            stream.write("</ComposedBlock>\n")


def _write_line(stream: TextIO, line: PlacedLine, number: str) -> None:
    place = bounds(line.box) if line.is_known else None
    about = {"ID": f"line_{number}", "TAGREFS": Origin.TEXT_LAYER if line.origin == Origin.TEXT_LAYER else Origin.OCR}
    stream.write(f"<TextLine{_attributes(about)}{_place(place)}>\n")
    if line.is_known and line.is_turned:
        points = " ".join(f"{x:g},{y:g}" for x, y in line.box)
        stream.write(f'<Shape><Polygon POINTS="{points}"/></Shape>\n')
    words = list(line.words())
    for index, (word, following) in enumerate(pairwise([*words, None]), 1):
        assert word is not None
        content = {"ID": f"string_{number}_{index}", "CONTENT": word.text, "WC": word.confidence}
        stream.write(f"<String{_attributes(content)}{_place(bounds(word.box) if line.is_known else None)}/>\n")
        if following:
            stream.write(f"<SP{_place(_gap(word, following) if line.is_known else None)}/>\n")
    stream.write("</TextLine>\n")


def _gap(word: PlacedWord, following: PlacedWord) -> Rect:
    """The space between two words, side by side, or one above the other in text that runs downwards."""
    left, top, right, bottom = bounds(word.box)
    other_left, other_top, other_right, other_bottom = bounds(following.box)
    across = sorted((left, right, other_left, other_right))[1:3]
    down = sorted((top, bottom, other_top, other_bottom))[1:3]
    return across[0], down[0], across[1], down[1]


def _place(box: Rect | None) -> str:
    """The attributes that hold a box, rounded to tenths of a pixel; empty if there is no box."""
    if box is None:
        return ""
    left, top, right, bottom = (round(x, 1) for x in box)
    place = {"HPOS": left, "VPOS": top, "WIDTH": round(right - left, 1), "HEIGHT": round(bottom - top, 1)}
    return _attributes({name: f"{value:g}" if abs(value) < 1e6 else value for name, value in place.items()})


def _attributes(given: Mapping[str, object]) -> str:
    return "".join(f" {name}={quoteattr(str(value))}" for name, value in given.items() if value is not None)
