"""The searchable PDF of an image file: each frame becomes a page, with its text invisible over the image."""

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

_POINTS = 72.0  # points per inch
_LONGEST = 14_400.0  # points; the longest side of a page that viewers support (ISO 32000-1, annex C)
_PLACEHOLDER = 96.0  # dpi; up to here a resolution is not credible: cameras write 72, programs for the screen 96
_SHEET = (612.0, 841.89)  # points; the width of Letter and the height of A4, so that a scan of either gets its own size
_EMPTY = "[0 0 595 842]"  # points; the page of a frame that cannot be decoded, which is A4
_FONT = "OcrText"  # its name among a page's resources
_SPACES = {"1": "/DeviceGray", "L": "/DeviceGray", "P": "/DeviceRGB", "RGB": "/DeviceRGB", "CMYK": "/DeviceCMYK"}
_BANDS = {"L": 1, "P": 3, "RGB": 3, "CMYK": 4}  # components of a colour; a palette holds RGB
_PROFILES = {1: b"GRAY", 3: b"RGB ", 4: b"CMYK"}  # the colour space field of an ICC profile with so many components
_PROFILE_SPACE = slice(16, 20)  # bytes of that field (ICC.1, 7.2.6)
_ADOBE = " /Decode [1 0 1 0 1 0 1 0]"  # Adobe's JPEG writers store CMYK inverted
_JP2 = b"\0\0\0\x0cjP"  # the first bytes of a JP2 file; a bare JPEG 2000 codestream starts with other bytes
_ONE_STRIP = 2**31 - 1  # bytes; libtiff writes an image in one strip if it is not larger
_STRIP_OFFSETS, _STRIP_BYTE_COUNTS = 273, 279  # tags of TIFF 6.0
_PNG_SIGNATURE = 8  # bytes (W3C PNG, 5.2)
_PNG_BITS = 24  # the byte of a PNG file that holds the bits per sample (W3C PNG, 11.2.1)

Result = Mapping[str, Any]  # one page of a result (`ocrqueue.storage.results.page_result`)


@dataclass(frozen=True, slots=True)
class _Picture:
    """The data of an image, compressed for a PDF."""

    mode: str  # Pillow's mode: 1, L, P, RGB or CMYK
    size: tuple[int, int]  # width and height in pixels
    entries: str  # entries of the image's dictionary that describe how `data` is compressed
    data: bytes
    placing: Transform = IDENTITY  # from pixels of `data` to pixels of the upright frame
    profile: bytes | None = None  # the ICC profile that the file contains
    palette: bytes = b""  # of mode P: red, green and blue of each colour


def write_image_pdf(document: ImageDocument, source: Path, pages: Iterable[Result], output: BinaryIO) -> None:
    """Write a PDF with a page for every frame of the file `source`, one frame in memory at a time.

    A frame without a result in `pages` gets no text. JPEG and JPEG 2000 data is copied; all other images are
    compressed without loss (16 bits become 8, transparency becomes white). Pages have the size that the file's
    resolution gives, see `_to_points`. A frame that cannot be decoded becomes an empty page.

    Raises PageFailure if the only frame cannot be decoded.
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
        """Write a page; returns its object number."""
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
        """Write an image; returns its object number."""
        width, height = picture.size
        space = self._colour_space(picture)
        entries = f"/Type /XObject /Subtype /Image /Width {width} /Height {height} /ColorSpace {space}"
        return self._writer.add(f"{entries} {picture.entries}", picture.data)

    def _colour_space(self, picture: _Picture) -> str:
        """The colour space of an image (ISO 32000-1, 8.6): from its ICC profile if that fits its colours."""
        space, bands = _SPACES[picture.mode], _BANDS.get(picture.mode)
        if picture.profile and bands and picture.profile[_PROFILE_SPACE] == _PROFILES[bands]:
            space = f"[/ICCBased {self._writer.add(f'/N {bands} /Alternate {space}', picture.profile)} 0 R]"
        if picture.mode != "P":
            return space
        return f"[/Indexed {space} {len(picture.palette) // 3 - 1} <{picture.palette.hex()}>]"


def _by_number(pages: Iterable[Result]) -> Iterator[Result | None]:
    """The results of pages 1, 2 and so on; None for a page without a result."""
    number = 1
    for page in pages:
        while number < page["page"]:
            yield None
            number += 1
        yield page
        number += 1


def _to_points(frame: Frame) -> tuple[Transform, float, float]:
    """The transform from pixels of the upright frame to points from the page's lower left corner; width and height.

    The page has the size that the file's resolution gives. If the file states none, or one of at most 96 dpi, the
    page is made smaller until it fits on a sheet of A4 or Letter, because nobody scanned the image at that resolution.
    """
    (width, height), (dpi_x, dpi_y) = frame.upright, frame.resolution
    x, y = _POINTS / dpi_x, _POINTS / dpi_y
    short, long = sorted((width * x, height * y))
    scale = min(1.0, _LONGEST / long)
    if max(dpi_x, dpi_y) <= _PLACEHOLDER:
        scale = min(scale, _SHEET[0] / short, _SHEET[1] / long)
    x, y = x * scale, y * scale
    return (x, 0.0, 0.0, 0.0, -y, height * y), width * x, height * y


def _to_frame(frame: Frame, result: Result | None) -> Transform:
    """The transform from pixels of the page image that was read to pixels of the upright frame."""
    if not (result and result["transform"]):
        return IDENTITY
    return chained(result["transform"], inverse(to_stored(frame.orientation, *frame.stored)))


def _turn(to_frame: Transform) -> int:
    """The clockwise rotation of the page, 0, 90, 180 or 270 degrees, that reading added to the file's orientation."""
    return round(-math.degrees(math.atan2(to_frame[3], to_frame[0])) / 90) * 90 % 360


def _matrix(picture: _Picture, to_points: Transform) -> str:
    """The operands of `cm` that map the unit square, in which an image is drawn, to its place on the page."""
    width, height = picture.size
    unit = chained((width, 0.0, 0.0, 0.0, -height, height), chained(picture.placing, to_points))
    return " ".join(f"{unit[i]:.4f}" for i in (0, 3, 1, 4, 2, 5))


def _picture(frame: Frame, kind: str, source: Path) -> _Picture:
    """A frame in the compression that suits it: its own for JPEG and JPEG 2000, fax for black and white, else PNG's."""
    image = frame.image
    placing = inverse(to_stored(frame.orientation, *frame.stored))
    profile = image.info.get("icc_profile")
    if kind == "jpeg" and image.mode in ("L", "RGB", "CMYK"):
        image.draft(None, (image.width // 8, image.height // 8))
        image.load()  # raises for damaged data here, before the PDF is written
        inverted = _ADOBE if image.mode == "CMYK" and "adobe" in image.info else ""
        entries = f"/BitsPerComponent 8 /Filter /DCTDecode{inverted}"
        return _Picture(image.mode, frame.stored, entries, source.read_bytes(), placing, profile)
    if kind == "jpeg2000" and image.mode in ("L", "RGB"):
        data = source.read_bytes()  # contains its colour space and profile
        if data.startswith(_JP2):
            return _Picture(image.mode, frame.stored, "/BitsPerComponent 8 /Filter /JPXDecode", data, placing)
    if image.mode == "P" and "transparency" not in image.info:
        image.load()
        return _lossless(image, profile, placing)
    if image.mode == "1":
        return _bilevel(frame.pixels().convert("1", dither=Image.Dither.NONE))
    pixels = frame.pixels()
    return _lossless(pixels if pixels.mode == "L" else flattened(pixels), profile)


def _bilevel(image: Image.Image) -> _Picture:
    """Black and white, compressed as a fax (CCITT group 4) by libtiff."""
    file = io.BytesIO()
    image.save(file, "TIFF", compression="group4", strip_size=_ONE_STRIP)
    with Image.open(file) as tiff:
        tags = tiff.tag_v2  # type: ignore[attr-defined]
        (start,), (length,) = tags[_STRIP_OFFSETS], tags[_STRIP_BYTE_COUNTS]
    width, height = image.size
    decoding = f"/DecodeParms << /K -1 /Columns {width} /Rows {height} /BlackIs1 true >>"
    entries = f"/BitsPerComponent 1 /Filter /CCITTFaxDecode {decoding}"
    return _Picture("1", image.size, entries, file.getvalue()[start : start + length])


def _lossless(image: Image.Image, profile: bytes | None, placing: Transform = IDENTITY) -> _Picture:
    """An image of mode L, P or RGB, compressed as in a PNG file, whose image data a PDF can hold unchanged."""
    file = io.BytesIO()
    image.save(file, "PNG")
    png = file.getvalue()
    bands, bits = len(image.getbands()), png[_PNG_BITS]
    decoding = f"/DecodeParms << /Predictor 15 /Colors {bands} /BitsPerComponent {bits} /Columns {image.width} >>"
    entries = f"/BitsPerComponent {bits} /Filter /FlateDecode {decoding}"
    palette = bytes(image.getpalette("RGB") or ())[: 3 << bits]
    return _Picture(image.mode, image.size, entries, b"".join(_png_data(png)), placing, profile, palette)


def _png_data(png: bytes) -> Iterator[bytes]:
    """The image data of a PNG file, chunk by chunk (W3C PNG, 5.3)."""
    place = _PNG_SIGNATURE
    while place < len(png):
        length, kind = struct.unpack_from(">I4s", png, place)
        if kind == b"IDAT":
            yield png[place + 8 : place + 8 + length]
        place += length + 12  # the chunk's length, type and checksum are 4 bytes each
