"""A result as the answer of Mistral's OCR endpoint (https://docs.mistral.ai/api/endpoint/ocr)."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ocrqueue.blocks import BlockKind
from ocrqueue.web.content.paragraphs import parts
from ocrqueue.web.content.pieces import dumped, parts_of

_TYPES = {
    BlockKind.TITLE: "title",
    BlockKind.HEADING: "title",
    BlockKind.LIST_ITEM: "list",
    BlockKind.TABLE: "table",
    BlockKind.CAPTION: "caption",
    BlockKind.FOOTNOTE: "aside_text",
    BlockKind.PAGE_HEADER: "header",
    BlockKind.PAGE_FOOTER: "footer",
    BlockKind.PICTURE: "image",
    BlockKind.FORMULA: "equation",
    BlockKind.CODE: "code",
}
_DPI = 72  # of a page whose resolution is not known


def ocr_response(
    pages: Iterable[Mapping[str, Any]], size: int | None, model: str, with_blocks: bool, with_confidence: bool
) -> Iterator[str]:
    """The JSON of the answer for a document of `size` bytes with these pages of a result, in parts.

    Page indices count from 0; boxes are in pixels of the page image.
    """
    read, separator = 0, '{"pages": ['
    for page in pages:
        yield separator
        yield from parts_of(_page(page, with_blocks, with_confidence), len(page["lines"]))
        read, separator = read + (page["state"] == "ok"), ", "
    yield separator if separator != ", " else ""
    usage = {"pages_processed": read, "doc_size_bytes": size}
    yield "], " + dumped({"model": model, "document_annotation": None, "usage_info": usage})[1:]


def _page(page: Mapping[str, Any], with_blocks: bool, with_confidence: bool) -> dict[str, Any]:
    found: dict[str, Any] = {
        "index": page["page"] - 1,
        "markdown": page["markdown"],
        "images": [],
        "dimensions": {"dpi": page["dpi"] or _DPI, "height": page["height"] or 0, "width": page["width"] or 0},
    }
    if with_blocks:
        found["blocks"] = [
            {"type": _TYPES.get(kind, "text"), "content": text, **_corners(box)}
            for kind, text, box in parts(page)
            if box is not None
        ]
    confidences = [line["confidence"] for line in page["lines"] if line["confidence"] is not None]
    if with_confidence and confidences:
        found["confidence_scores"] = {
            "average_page_confidence_score": page["confidence"],
            "minimum_page_confidence_score": min(confidences),
        }
    return found


def _corners(box: tuple[float, float, float, float]) -> dict[str, int]:
    names = ("top_left_x", "top_left_y", "bottom_right_x", "bottom_right_y")
    return {name: round(value) for name, value in zip(names, box, strict=True)}
