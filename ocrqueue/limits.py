"""How large, how many, how long: the limits that keep a worker's memory, disk and time bounded."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """What a document and a page may cost. The defaults suit one machine with 4 GB or more."""

    max_bytes: int = 512 * 2**20  # of a document
    max_pages: int = 10_000  # of a document
    max_pixels: int = 60_000_000  # of a page image as it is read; larger sources are scaled down where possible
    max_source_pixels: int = 150_000_000  # of an image as it is decoded; larger ones are refused
    open_seconds: int = 60  # to open a document and count its pages
    page_seconds: int = 300  # to render and read a page
    load_seconds: int = 600  # to load a model
