"""A PDF of an image file: each frame is a page of its size, with the text that was read lying unseen over it."""

import io
import math
import struct
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from PIL import Image

from ocrqueue.documents.colours import flattened
from ocrqueue.documents.images import Frame, ImageDocument
from ocrqueue.documents.transforms import IDENTITY, Transform, apply, chained, inverse, to_stored
from ocrqueue.errors import PageFailure
from ocrqueue.formats.pdf.glyphs import Glyphs
from ocrqueue.formats.pdf.text_stream import text_stream
from ocrqueue.formats.pdf.writer import PdfWriter
from ocrqueue.formats.placement import lines_of

_POINTS = 72.0  # to the inch
_LARGEST = 14_400.0  # points; the largest side of a page (ISO 32000-1, annex C)
_FONT = "OcrText"
_EMPTY = "[0 0 595 842]"  # of a page whose frame cannot be decoded
_SPACES = {"1": "/DeviceGray", "L": "/DeviceGray", "RGB": "/DeviceRGB", "CMYK": "/DeviceCMYK"}
_PROFILES = {"L": b"GRAY", "RGB": b"RGB ", "CMYK": b"CMYK"}  # what an ICC profile says it is for
_ADOBE = " /Decode [1 0 1 0 1 0 1 0]"  # Adobe's JPEG writers store CMYK inverted
_JP2 = b"\0\0\0\x0cjP"
_ONE_STRIP = 2**31 - 1
_PNG_BITS = 24  # where a PNG file says how many bits a sample has (W3C PNG, 11.2.1)

Result = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class _Picture:
    """An image as a PDF holds it."""

    mode: str  # Pillow's
    size: tuple[int, int]  # in pixels
    entries: str  # of its dictionary: how `data` is compressed
    data: bytes
    placing: Transform = IDENTITY  # from its own pixels to those of the upright frame
    profile: bytes | None = None  # ICC
    palette: bytes = b""  # of mode P: red, green, blue of each colour


def write_image_pdf(document: ImageDocument, source: Path, pages: Iterable[Result], output: BinaryIO) -> None:
    """Write a page for every frame of the file `source`, one after another; those that were not read have no text.

    JPEG and JPEG 2000 stay as they are, all else is compressed without loss (16 bits become 8, transparency white).
    A frame that cannot be decoded leaves an empty page; if it is the only one, PageFailure is raised.
    """
    _ImagePdf(document, source, output).write(pages)


class _ImagePdf:
    def __init__(self, document: ImageDocument, source: Path, output: BinaryIO) -> None:
        self._document = document
        self._source = source
        self._writer = PdfWriter(output)
        self._glyphs = Glyphs()
        self._root, self._tree, self._font = (self._writer.reserve() for _ in range(3))

    def write(self, pages: Iterable[Result]) -> None:
        results = _by_number(pages)
        kids = [self._page(number, next(results, None)) for number in range(1, self._document.page_count + 1)]
        self._glyphs.write(self._writer, self._font)
        kids_listed = " ".join(f"{kid} 0 R" for kid in kids)
        self._writer.put(self._tree, f"/Type /Pages /Count {len(kids)} /Kids [{kids_listed}]")
        self._writer.put(self._root, f"/Type /Catalog /Pages {self._tree} 0 R")
        self._writer.finish(self._root)

    def _page(self, number: int, result: Result | None) -> int:
        head = f"/Type /Page /Parent {self._tree} 0 R"
        try:
            with self._document.frame(number) as frame:
                picture = _picture(frame, self._document.kind, self._source)
                to_points, width, height = _to_points(frame)
                to_frame = _to_frame(frame, result)
        except PageFailure:
            if self._document.page_count == 1:
                raise
            return self._writer.add(f"{head} /MediaBox {_EMPTY} /Resources << >>")
        text = self._text(result, chained(to_frame, to_points))
        image, matrix = self._image(picture), _matrix(picture, to_points)
        content = self._writer.add("", text + f"q\n{matrix} cm\n/Image Do\nQ\n".encode("ascii"))
        return self._writer.add(
            f"{head} /MediaBox [0 0 {width:.4f} {height:.4f}] /Rotate {_turn(to_frame)} /Contents {content} 0 R "
            f"/Resources << /XObject << /Image {image} 0 R >> /Font << /{_FONT} {self._font} 0 R >> >>"
        )

    def _text(self, result: Result | None, to_points: Transform) -> bytes:
        lines = lines_of(result) if result else []
        return text_stream(lines, lambda point: apply(to_points, *point), _FONT, self._glyphs)

    def _image(self, picture: _Picture) -> int:
        space = _SPACES.get(picture.mode) or _indexed(picture.palette)
        if picture.profile and picture.profile[16:20] == _PROFILES.get(picture.mode):
            bands = {"L": 1, "RGB": 3, "CMYK": 4}[picture.mode]
            space = f"[/ICCBased {self._writer.add(f'/N {bands} /Alternate {space}', picture.profile)} 0 R]"
        width, height = picture.size
        entries = f"/Type /XObject /Subtype /Image /Width {width} /Height {height} /ColorSpace {space}"
        return self._writer.add(f"{entries} {picture.entries}", picture.data)


def _by_number(pages: Iterable[Result]) -> Iterator[Result | None]:
    """The results of pages 1, 2 and so on; None for one that was not asked for."""
    number = 1
    for page in pages:
        while number < page["page"]:
            yield None
            number += 1
        yield page
        number += 1


def _to_points(frame: Frame) -> tuple[Transform, float, float]:
    """From pixels of the upright frame to points from the page's lower left corner; the page's width and height."""
    (width, height), (dpi_x, dpi_y) = frame.upright, frame.resolution
    x, y = _POINTS / dpi_x, _POINTS / dpi_y
    shrunk = min(1.0, _LARGEST / max(width * x, height * y))
    x, y = x * shrunk, y * shrunk
    return (x, 0.0, 0.0, 0.0, -y, height * y), width * x, height * y


def _to_frame(frame: Frame, result: Result | None) -> Transform:
    """From pixels of the page image that was read to those of the upright frame."""
    if not (result and result["transform"]):
        return IDENTITY
    return chained(result["transform"], inverse(to_stored(frame.orientation, *frame.stored)))


def _turn(to_frame: Transform) -> int:
    """Degrees clockwise, in quarters, by which the page was turned to be read, beyond what the file itself says."""
    return round(-math.degrees(math.atan2(to_frame[3], to_frame[0])) / 90) * 90 % 360


def _matrix(picture: _Picture, to_points: Transform) -> str:
    """Operands of `cm` that put the unit square, which is the image, where it belongs."""
    width, height = picture.size
    unit = chained((width, 0.0, 0.0, 0.0, -height, height), chained(picture.placing, to_points))
    return " ".join(f"{unit[i]:.4f}" for i in (0, 3, 1, 4, 2, 5))


def _picture(frame: Frame, kind: str, source: Path) -> _Picture:
    image = frame.image
    placing = inverse(to_stored(frame.orientation, *frame.stored))
    profile = image.info.get("icc_profile")
    if kind == "jpeg" and image.mode in ("L", "RGB", "CMYK"):
        image.draft(None, (image.width // 8, image.height // 8))
        image.load()  # a damaged one is found here, not by whoever opens the PDF
        inverted = _ADOBE if image.mode == "CMYK" and "adobe" in image.info else ""
        entries = f"/BitsPerComponent 8 /Filter /DCTDecode{inverted}"
        return _Picture(image.mode, frame.stored, entries, source.read_bytes(), placing, profile)
    if kind == "jpeg2000" and image.mode in ("L", "RGB"):
        data = source.read_bytes()
        if data.startswith(_JP2):
            return _Picture(image.mode, frame.stored, "/BitsPerComponent 8 /Filter /JPXDecode", data, placing)
    if image.mode == "P" and "transparency" not in image.info:
        image.load()
        return _lossless(image, None, placing)
    if image.mode == "1":
        return _bilevel(frame.pixels().convert("1"))
    pixels = frame.pixels()
    return _lossless(pixels if pixels.mode == "L" else flattened(pixels), profile)


def _bilevel(image: Image.Image) -> _Picture:
    """Black and white as a fax (CCITT group 4), which libtiff makes."""
    file = io.BytesIO()
    image.save(file, "TIFF", compression="group4", strip_size=_ONE_STRIP)
    with Image.open(file) as tiff:
        (start,), (length,) = tiff.tag_v2[273], tiff.tag_v2[279]  # type: ignore[attr-defined]
    width, height = image.size
    decoding = f"/DecodeParms << /K -1 /Columns {width} /Rows {height} /BlackIs1 true >>"
    entries = f"/BitsPerComponent 1 /Filter /CCITTFaxDecode {decoding}"
    return _Picture("1", image.size, entries, file.getvalue()[start : start + length])


def _lossless(image: Image.Image, profile: bytes | None, placing: Transform = IDENTITY) -> _Picture:
    """Grey, colour or colours of a palette, compressed as in a PNG, whose data a PDF takes as they are."""
    file = io.BytesIO()
    image.save(file, "PNG")
    png = file.getvalue()
    bands, bits = len(image.getbands()), png[_PNG_BITS]
    decoding = f"/DecodeParms << /Predictor 15 /Colors {bands} /BitsPerComponent {bits} /Columns {image.width} >>"
    entries = f"/BitsPerComponent {bits} /Filter /FlateDecode {decoding}"
    palette = bytes(image.getpalette("RGB") or ())[: 3 << bits]
    return _Picture(image.mode, image.size, entries, b"".join(_png_data(png)), placing, profile, palette)


def _indexed(palette: bytes) -> str:
    """The colour space of a palette."""
    return f"[/Indexed /DeviceRGB {len(palette) // 3 - 1} <{palette.hex()}>]"


def _png_data(png: bytes) -> Iterator[bytes]:
    """The image data of a PNG file, chunk by chunk (W3C PNG, 5.3)."""
    place = 8
    while place < len(png):
        length, kind = struct.unpack_from(">I4s", png, place)
        if kind == b"IDAT":
            yield png[place + 8 : place + 8 + length]
        place += length + 12
