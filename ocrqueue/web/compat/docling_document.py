"""A result as a DoclingDocument, the JSON document of docling-core (https://github.com/docling-project/docling-core).

The client of docling-serve builds its document from it. Each paragraph of a page becomes a text item with its box.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from ocrqueue.web.content.paragraphs import Lines, around, paragraphs

_VERSION = "1.10.0"  # of the DoclingDocument schema that this module writes
_ROOT = "#/body"


def docling_document(result: Mapping[str, Any]) -> dict[str, Any]:
    """The document of a result of the schema "ocr-queue/1". Pages that were not read have no text items."""
    texts = [item for page in result["pages"] for item in _texts(page)]
    for number, item in enumerate(texts):
        item["self_ref"] = f"#/texts/{number}"
    return {
        "schema_name": "DoclingDocument",
        "version": _VERSION,
        "name": result["source"]["name"].rpartition(".")[0] or result["source"]["name"],
        "furniture": {**_root("#/furniture"), "content_layer": "furniture"},
        "body": {**_root(_ROOT), "children": [{"$ref": item["self_ref"]} for item in texts]},
        "groups": [],
        "texts": texts,
        "pictures": [],
        "tables": [],
        "key_value_items": [],
        "form_items": [],
        "pages": {str(page["page"]): _page(page) for page in result["pages"] if page["width"]},
    }


def _root(name: str) -> dict[str, Any]:
    return {"self_ref": name, "children": [], "content_layer": "body", "name": "_root_", "label": "unspecified"}


def _page(page: Mapping[str, Any]) -> dict[str, Any]:
    return {"size": {"width": float(page["width"]), "height": float(page["height"])}, "page_no": page["page"]}


def _texts(page: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for text, lines in paragraphs(page):
        yield {
            "parent": {"$ref": _ROOT},
            "children": [],
            "content_layer": "body",
            "label": "text",
            "prov": [{"page_no": page["page"], "bbox": _box(page, lines), "charspan": [0, len(text)]}],
            "orig": text,
            "text": text,
        }


def _box(page: Mapping[str, Any], lines: Lines) -> dict[str, Any]:
    """The box around lines, in pixels; the whole page if no line has a place."""
    whole = (0.0, 0.0, float(page["width"] or 1), float(page["height"] or 1))
    left, top, right, bottom = around(lines) or whole
    return {"l": left, "t": top, "r": right, "b": bottom, "coord_origin": "TOPLEFT"}
