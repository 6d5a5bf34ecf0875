"""Image files, read by Pillow. Each frame of a TIFF is a page; of an animation, only the first frame is read."""

import math
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from PIL import ExifTags, Image, UnidentifiedImageError

from ocrqueue.documents.colours import flattened, to_eight_bits
from ocrqueue.documents.document import UNKNOWN_DPI, Document
from ocrqueue.documents.page_image import PageImage
from ocrqueue.documents.tiff import FrameChain
from ocrqueue.documents.transforms import ROTATION_OF, UPRIGHT, scaled, swaps_sides, to_stored
from ocrqueue.errors import DocumentError, OcrError, PageFailure
from ocrqueue.limits import Limits

_READERS = {"jpeg2000": "JPEG2000", "heic": "HEIF"}  # Pillow's format names that are not the kind in capitals
_TAGS_FIRST = {"JPEG", "MPO", "TIFF"}  # formats whose EXIF tags Pillow reads without decoding the image
_PHOTOMETRIC = 262  # tag of TIFF 6.0: its value 0 means that white is stored as 0
_PLAUSIBLE_DPI = (20.0, 4800.0)  # dots per inch; other values are mistakes in the file
_STRETCH = (1.1, 4.0)  # ratio of both resolutions: a fax has 204 x 98 dpi; less is rounding, more is a mistake


@dataclass(frozen=True, slots=True)
class Frame:
    """A page as its file has it. Not usable after the file is closed."""

    image: Image.Image  # not decoded yet, if its reader allows that
    orientation: int  # EXIF orientation, 1 to 8
    stored: tuple[int, int]  # width and height in the file, in pixels
    upright: tuple[int, int]  # width and height as a viewer shows it, in pixels
    resolution: tuple[float, float]  # dots per inch along x and y as a viewer shows it

    def pixels(self) -> Image.Image:
        """The decoded image, upright, in mode L, RGB or RGBA."""
        return _decoded(self.image)


class ImageDocument(Document):
    """An image file. It is opened again for each page, so that decoded frames do not stay in memory."""

    def __init__(self, path: Path, kind: str, page_count: int, limits: Limits) -> None:
        self.kind = kind
        self.page_count = page_count
        self._path = path
        self._limits = limits
        self._chain = FrameChain(path) if kind == "tiff" else None

    def render(self, number: int, dpi: int | None, engine_dpi: int) -> PageImage:  # noqa: ARG002 - see Document.render
        """The frame, upright, in its own resolution."""
        with self.frame(number) as frame:
            return _page_image(frame, self._limits.max_pixels)

    @contextmanager
    def frame(self, number: int) -> Iterator[Frame]:
        """The page `number` (from 1) as its file has it. Raises PageFailure, also for any error in the `with` block."""
        with _reader(self._path, self.kind, self._limits, PageFailure, self._chain, number) as image:
            _check_size(image, self._limits, PageFailure)
            yield _frame(image)


def open_image(path: Path, kind: str, limits: Limits, pages: int | None = None) -> ImageDocument:
    """Open an image file: read its header, and count its pages unless `pages` is given. Decodes nothing.

    Raises DocumentError: `corrupt_file`, `too_large`, `too_many_pages`.
    """
    if pages is not None:
        return ImageDocument(path, kind, pages, limits)
    with _reader(path, kind, limits, DocumentError) as image:
        page_count = _count_frames(image, limits) if kind == "tiff" else 1
        if page_count == 1:
            _check_size(image, limits, DocumentError)
    return ImageDocument(path, kind, page_count, limits)


@contextmanager
def _reader(
    path: Path, kind: str, limits: Limits, failure: type[OcrError], chain: FrameChain | None = None, number: int = 1
) -> Iterator[Image.Image]:
    """The image at its frame `number` (from 1), opened by the reader of its kind alone.

    `chain` finds a late frame of a TIFF quickly. Raises `failure`, also for any error inside the
    `with` block.
    """
    if kind == "heic":
        import pillow_heif

        pillow_heif.register_heif_opener(thumbnails=False)
    Image.MAX_IMAGE_PIXELS = limits.max_source_pixels  # Pillow refuses images of more than twice as many
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow warns about odd metadata, which do not matter
            file = chain.open_with_second(number) if chain and number > 2 else None
            with file or nullcontext(), Image.open(file or path, formats=[_READERS.get(kind, kind.upper())]) as image:
                if number > 1:
                    image.seek(1 if file else number - 1)
                yield image
    except OcrError:
        raise
    except Image.DecompressionBombError as error:
        raise _too_many_pixels(failure, "too many pixels", limits) from error
    except MemoryError as error:
        raise failure("the image needs more memory than there is: send it in a smaller size", "too_large") from error
    except Exception as error:  # Pillow's readers raise almost any exception for damaged bytes
        reason = "no header" if isinstance(error, UnidentifiedImageError) else " ".join(str(error).split())[:200]
        raise failure(f"the image is damaged ({reason}): export or scan it again", "corrupt_file") from error


def _count_frames(image: Image.Image, limits: Limits) -> int:
    """The number of frames of a TIFF. A frame that cannot be found counts too: its page fails, the others are read."""
    count = 1
    while count <= limits.max_pages:
        try:
            image.seek(count)
        except EOFError:
            break
        except Exception:  # noqa: BLE001 - as above; reading that page reports the error
            count += 1
            break
        count += 1
    if count > limits.max_pages:
        allowed = f"{limits.max_pages:,} that are allowed"
        raise DocumentError(
            f"the image has more pages than the {allowed}: send it in parts, or raise OCR_MAX_PAGES", "too_many_pages"
        )
    image.seek(0)
    return count


def _check_size(image: Image.Image, limits: Limits, failure: type[OcrError]) -> None:
    """Raise `failure` if the image has more pixels than `Limits.max_source_pixels`."""
    if image.width * image.height > limits.max_source_pixels:
        raise _too_many_pixels(failure, f"{image.width} x {image.height} pixels", limits)


def _too_many_pixels(failure: type[OcrError], size: str, limits: Limits) -> OcrError:
    allowed = f"{limits.max_source_pixels:,} in all are allowed"
    advice = "send it in a smaller size, or raise OCR_MAX_SOURCE_MEGAPIXELS"
    return failure(f"the image has {size}, {allowed}: {advice}", "too_large")


def _frame(image: Image.Image) -> Frame:
    """The frame at which a reader of Pillow stands."""
    if image.format not in _TAGS_FIRST:
        image.load()
    orientation = _orientation(image)
    resolution = _resolution(image)
    stored = image.size
    if image.format == "TIFF" and swaps_sides(orientation):
        stored = stored[::-1]  # Pillow gives the size of the frame after rotation
    if swaps_sides(orientation):
        return Frame(image, orientation, stored, stored[::-1], resolution[::-1])
    return Frame(image, orientation, stored, stored, resolution)


def _page_image(frame: Frame, max_pixels: int) -> PageImage:
    """The image of a frame with square pixels, at most `max_pixels` of them."""
    image, orientation, upright = frame.image, frame.orientation, frame.upright
    size, dpi = _target(upright, frame.resolution, max_pixels)
    image.draft(None, size[::-1] if swaps_sides(orientation) else size)  # a JPEG may be decoded at 1/2, 1/4 or 1/8
    pixels = frame.pixels()
    if pixels.size != size:
        pixels = pixels.resize(size, Image.Resampling.LANCZOS, reducing_gap=3.0)
    transform = scaled(to_stored(orientation, *frame.stored), upright[0] / size[0], upright[1] / size[1])
    return PageImage(flattened(pixels), dpi, ROTATION_OF[orientation], transform)


def _decoded(image: Image.Image) -> Image.Image:
    """The decoded image, upright, with 8 bits per channel. Pillow itself turns TIFF frames, and removes the tag."""
    inverted = image.format == "TIFF" and getattr(image, "tag_v2", {}).get(_PHOTOMETRIC) == 0
    image.load()
    pixels = to_eight_bits(image, inverted)
    turn = _TURNS.get(_orientation(image))
    return pixels if turn is None else pixels.transpose(turn)


_TURNS = {  # by EXIF orientation
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def _orientation(image: Image.Image) -> int:
    """The EXIF orientation, 1 to 8; for HEIC always 1, because its decoder turns the image."""
    try:
        value = image.getexif().get(ExifTags.Base.Orientation)
    except Exception:  # noqa: BLE001 - the pixels are readable without the EXIF block
        return UPRIGHT
    return value if value in ROTATION_OF else UPRIGHT


def _resolution(image: Image.Image) -> tuple[float, float]:
    """Dots per inch along x and y of the stored image; `UNKNOWN_DPI` if the file states none that is plausible."""
    try:
        x, y = (float(v) for v in image.info["dpi"])
    except (KeyError, TypeError, ValueError, ZeroDivisionError):
        return UNKNOWN_DPI, UNKNOWN_DPI
    low, high = _PLAUSIBLE_DPI
    if not (low <= x <= high and low <= y <= high):
        return UNKNOWN_DPI, UNKNOWN_DPI
    if not _STRETCH[0] < max(x, y) / min(x, y) < _STRETCH[1]:
        y = x
    return x, y


def _target(size: tuple[int, int], dpi: tuple[float, float], max_pixels: int) -> tuple[tuple[int, int], float]:
    """Width, height (in pixels) and resolution (dpi) of the page image: square pixels, at most `max_pixels` of them."""
    best = max(dpi)
    width, height = size[0] * best / dpi[0], size[1] * best / dpi[1]
    scale = min(1.0, math.sqrt(max_pixels / (width * height)))
    rounding = math.floor if scale < 1 else round
    return (max(1, rounding(width * scale)), max(1, rounding(height * scale))), best * scale
