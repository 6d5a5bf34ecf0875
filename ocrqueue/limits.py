"""Limits for documents, pages and jobs, which bound the memory, disk space and time of workers."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits for one document and one page. The defaults suit a machine with 4 GB of memory or more."""

    max_bytes: int = 512 * 2**20  # of a document
    max_pages: int = 10_000  # of a document
    max_pixels: int = 60_000_000  # of a page image that an engine reads; a larger page is scaled down if possible
    max_source_pixels: int = 150_000_000  # of an image that is decoded; a larger image is refused
    open_seconds: int = 60  # seconds to open a document and count its pages
    page_seconds: int = 300  # seconds to render and read a page
    load_seconds: int = 600  # seconds to load a model


@dataclass(frozen=True, slots=True)
class RereadLimits:
    """How much of a job another engine may read again."""

    share: float  # of its pages, 0 to 1; 0: nothing
    seconds: float  # from when every page was read once, in which it may begin a page; 0: none

    @property
    def allow_nothing(self) -> bool:
        """Whether no page may be read again."""
        return not self.share or not self.seconds
