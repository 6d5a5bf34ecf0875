"""The files with images of pages, in a job's folder: made on request, and removed with the job."""

from dataclasses import dataclass

from ocrqueue.states import ImageFormat

WIDTHS = (160, 320, 640, 1280, 2560)  # pixels; few, so that requests cannot fill the spool


@dataclass(frozen=True, slots=True)
class PageImageFile:
    """The image of a page in one size and format."""

    round: int  # of the job; a page may be read in another position after a retry
    number: int  # of the page
    width: int | None  # pixels, one of WIDTHS; a smaller page has its own. None: as it was read
    format: ImageFormat

    @property
    def name(self) -> str:
        """The name of the file in the job's folder."""
        return f"image-{self.round}-{self.number:06d}-{self.width or 'full'}.{self.format}"

    @classmethod
    def at_least(cls, round: int, number: int, width: int | None, format: ImageFormat) -> "PageImageFile":
        """The smallest file with at least so many pixels in a row."""
        return cls(round, number, None if width is None else next((w for w in WIDTHS if w >= width), None), format)
