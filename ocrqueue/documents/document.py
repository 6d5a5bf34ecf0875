"""The interface of an opened document of any kind: its pages as images."""

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Self

from ocrqueue.documents.page_image import PageImage

if TYPE_CHECKING:
    from ocrqueue.documents.text_layer import TextLayer

UNKNOWN_DPI = 72.0  # dots per inch: used for images that state no plausible resolution


class Document(ABC):
    """An opened document; a context manager that closes it."""

    kind: str  # one of the kinds of `ocrqueue.documents.kinds`
    page_count: int  # at least 1

    @abstractmethod
    def render(self, number: int, dpi: int | None, engine_dpi: int) -> PageImage:
        """The image of page `number` (from 1).

        `dpi` is the resolution that the job asked for. None means the resolution of the scan for a PDF page that is
        nothing but a scan, and `engine_dpi` for any other page of a PDF. Image files ignore both. An image of more than
        `Limits.max_pixels` is scaled down.

        For a PDF, `PageImage.transform` leads to the coordinates of PyMuPDF's page with its rotation removed: points of
        1/72 inch (UserUnit applied), origin at the top left corner of the visible part of the crop box, y down. For an
        image file it leads to pixels of the stored image, before any rotation, mirroring or scaling.

        Raises PageFailure: `corrupt_file` or `too_large`.
        """

    def text_layer(self, number: int, dpi: int | None, engine_dpi: int) -> "TextLayer | None":  # noqa: ARG002
        """The text that the file contains for page `number` (from 1); None if there is none that can be trusted.

        Arguments as of `render`. Raises nothing: if the text cannot be read, the result is None.
        """
        return None

    def close(self) -> None:  # noqa: B027 - most kinds keep nothing open
        """Release file handles and caches. May be called more than once."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()
