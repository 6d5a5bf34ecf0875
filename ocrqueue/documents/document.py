"""What an opened document offers, whatever its kind: pages as upright images."""

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Self

from ocrqueue.documents.page_image import PageImage

if TYPE_CHECKING:
    from ocrqueue.documents.text_layer import TextLayer

UNKNOWN_DPI = 72.0


class Document(ABC):
    """An opened document; a context manager that closes it."""

    kind: str  # one of the kinds of `ocrqueue.documents.kinds`
    page_count: int  # at least 1

    @abstractmethod
    def render(self, number: int, dpi: int | None, engine_dpi: int) -> PageImage:
        """The image of page `number` (from 1).

        `dpi` is what the job asked for; None means a plain scan's own resolution, and `engine_dpi` for any other page
        of a PDF. Images are read as they are, whatever `dpi` says. An image of more than `Limits.max_pixels` is
        scaled down.

        `PageImage.transform` leads, for a PDF, to the coordinates of PyMuPDF's page with its rotation removed: points
        of 1/72 inch (UserUnit applied), origin at the top left corner of the visible part of the crop box, y down. For
        an image it leads to pixels of the stored image, before any turning, mirroring or scaling.

        Raises PageFailure: `corrupt_file` or `too_large`.
        """

    def text_layer(self, number: int, dpi: int | None, engine_dpi: int) -> "TextLayer | None":  # noqa: ARG002
        """The text that page `number` (from 1) brings along; None where there is none, or none to be trusted.

        Takes what `render` takes. Raises nothing: a page whose layer cannot be read is one without.
        """
        return None

    def close(self) -> None:  # noqa: B027 - most kinds hold nothing open
        """Give file handles and caches back. May be called more than once."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()
