"""Documents: opens a file and turns its pages into images. Loads Pillow and PyMuPDF only when a document is opened."""

from pathlib import Path

from ocrqueue.documents.document import UNKNOWN_DPI, Document
from ocrqueue.documents.kinds import HEAD, sniff
from ocrqueue.documents.page_image import PageImage
from ocrqueue.documents.transforms import Transform
from ocrqueue.errors import DocumentError
from ocrqueue.limits import Limits

__all__ = ["UNKNOWN_DPI", "Document", "PageImage", "Transform", "open_document", "sniff"]


def open_document(path: Path, limits: Limits, password: str | None = None, pages: int | None = None) -> Document:
    """Open a document of any kind that `sniff` knows. The file name does not matter.

    `pages` is the number of pages if it is known already: counting the frames of a long TIFF takes time.

    Raises DocumentError: `empty_file`, `empty_document`, `unsupported_format`, `corrupt_file`, `password_required`,
    `permission_denied` (this process may not read the file), `too_large`, `too_many_pages`, `source_unreachable`.
    """
    kind = sniff(_head(path, limits))
    if kind is None:
        raise DocumentError(
            "the file is not a PDF or an image of a known format: send PDF, PNG, JPEG, TIFF, WebP, GIF, BMP, "
            "JPEG 2000, AVIF or HEIC",
            "unsupported_format",
        )
    if kind == "pdf":
        from ocrqueue.documents.pdf.document import open_pdf

        return open_pdf(path, limits, password)
    from ocrqueue.documents.images import open_image

    return open_image(path, kind, limits, pages)


def preload() -> None:
    """Load now the libraries that the first document would load."""
    from PIL import Image

    from ocrqueue.documents import images  # noqa: F401
    from ocrqueue.documents.pdf import document as pdf  # noqa: F401

    Image.init()


def _head(path: Path, limits: Limits) -> bytes:
    """The first `HEAD` bytes of a file. Raises DocumentError if it cannot be read, is empty or is too large."""
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            head = file.read(HEAD)
    except PermissionError as error:
        raise DocumentError(
            f"this process may not read {path.name}: change its permissions", "permission_denied"
        ) from error
    except OSError as error:
        raise DocumentError(f"{path.name} cannot be read: {error.strerror}", "source_unreachable") from error
    if size == 0:
        raise DocumentError("the file is empty: send it again", "empty_file")
    if size > limits.max_bytes:
        allowed = f"{limits.max_bytes:,} bytes are allowed"
        raise DocumentError(
            f"the file has {size:,} bytes, {allowed}: send it in parts, or raise OCR_MAX_MB", "too_large"
        )
    return head
