"""A result as a DoclingDocument, the JSON document of docling-core (https://github.com/docling-project/docling-core).

The client of docling-serve builds its document from it. Each block of a page becomes an item with its box; on a page
without blocks, each paragraph becomes a text item. Running heads and feet are docling's "furniture".
"""

from collections.abc import Mapping
from typing import Any

from ocrqueue.blocks import Block, BlockKind
from ocrqueue.geometry import Rect, bounds
from ocrqueue.storage.blocks import block_of
from ocrqueue.web.content.paragraphs import around, paragraphs

_VERSION = "1.10.0"  # of the DoclingDocument schema that this module writes
_BODY, _FURNITURE = "body", "furniture"
_LABELS = {
    BlockKind.TITLE: "title",
    BlockKind.HEADING: "section_header",
    BlockKind.LIST_ITEM: "list_item",
    BlockKind.CAPTION: "caption",
    BlockKind.FOOTNOTE: "footnote",
    BlockKind.PAGE_HEADER: "page_header",
    BlockKind.PAGE_FOOTER: "page_footer",
    BlockKind.FORMULA: "formula",
    BlockKind.CODE: "code",
}  # of text items; others are "text"
_FURNITURE_KINDS = (BlockKind.PAGE_HEADER, BlockKind.PAGE_FOOTER)
Item = dict[str, Any]
_KINLESS: Item = {"captions": [], "references": [], "footnotes": []}


def docling_document(result: Mapping[str, Any]) -> Item:
    """The document of a result of the schema "ocr-queue/1". Pages that were not read have no items."""
    made = _Document(result["source"]["name"])
    for page in result["pages"]:
        if page.get("blocks") is None:
            for text, lines in paragraphs(page):
                made.add_text(page, "text", text, around(lines))
        else:
            for block in map(block_of, page["blocks"]):
                made.add(page, block)
    return made.shown | {"pages": {str(page["page"]): _page(page) for page in result["pages"] if page["width"]}}


class _Document:
    """A document that grows by one item after another."""

    def __init__(self, name: str) -> None:
        roots = {layer: _root(layer) for layer in (_FURNITURE, _BODY)}
        lists: dict[str, Any] = {name: [] for name in ("groups", "texts", "pictures", "tables")}
        self.shown: Item = {
            "schema_name": "DoclingDocument",
            "version": _VERSION,
            "name": name.rpartition(".")[0] or name,
            **roots,
            **lists,
            "key_value_items": [],
            "form_items": [],
        }
        self._list: Item | None = None  # the list to which the next list item belongs

    def add(self, page: Mapping[str, Any], block: Block) -> None:
        """Add a block of a page."""
        box = None if block.box is None else bounds(block.box)
        if block.kind != BlockKind.LIST_ITEM:
            self._list = None
        if block.kind == BlockKind.TABLE and block.cells:
            self._put("tables", _BODY, self._item(page, "table", box) | _KINLESS | {"data": _table(block)})
        elif block.kind == BlockKind.PICTURE:
            self._put("pictures", _BODY, self._item(page, "picture", box) | _KINLESS)
        if block.kind not in (BlockKind.TABLE, BlockKind.PICTURE) or (block.text and not block.cells):
            more: Item = {}
            if block.kind == BlockKind.HEADING:
                more = {"level": block.level or 1}
            elif block.kind == BlockKind.LIST_ITEM:
                marker = block.marker or ""
                more = {"marker": marker or "-", "enumerated": marker[:1].isalnum()}
            self.add_text(page, _LABELS.get(block.kind, "text"), block.text, box, **more)

    def add_text(self, page: Mapping[str, Any], label: str, text: str, box: Rect | None, **more: Any) -> None:
        """Add a text item. `box` is left, top, right and bottom in pixels, or None."""
        layer = _FURNITURE if label in _FURNITURE_KINDS else _BODY
        item = self._item(page, label, box, len(text)) | {"orig": text, "text": text, "content_layer": layer, **more}
        if label == "list_item":
            if self._list is None:
                self._list = {"name": "list", "label": "list", "content_layer": _BODY, "children": []}
                self._put("groups", _BODY, self._list)
            self._put("texts", self._list, item)
        else:
            self._put("texts", layer, item | (_KINLESS if label == "code" else {}))

    def _put(self, where: str, parent: str | Item, item: Item) -> None:
        """Give an item its name, and add it to its parent."""
        above = self.shown[parent] if isinstance(parent, str) else parent
        item["self_ref"] = f"#/{where}/{len(self.shown[where])}"
        item["parent"] = {"$ref": above["self_ref"]}
        self.shown[where].append(item)
        above["children"].append({"$ref": item["self_ref"]})

    @staticmethod
    def _item(page: Mapping[str, Any], label: str, box: Rect | None, length: int = 0) -> Item:
        place = {"page_no": page["page"], "bbox": _box(page, box), "charspan": [0, length]}
        return {"children": [], "content_layer": _BODY, "label": label, "prov": [place]}


def _root(layer: str) -> Item:
    return {"self_ref": f"#/{layer}", "children": [], "content_layer": layer, "name": "_root_", "label": "unspecified"}


def _page(page: Mapping[str, Any]) -> Item:
    return {"size": {"width": float(page["width"]), "height": float(page["height"])}, "page_no": page["page"]}


def _table(block: Block) -> Item:
    cells = [
        {
            "bbox": None if cell.box is None else _rectangle(bounds(cell.box)),
            "row_span": cell.row_span,
            "col_span": cell.column_span,
            "start_row_offset_idx": cell.row,
            "end_row_offset_idx": cell.row + cell.row_span,
            "start_col_offset_idx": cell.column,
            "end_col_offset_idx": cell.column + cell.column_span,
            "text": cell.text,
            "column_header": cell.is_header,
            "row_header": False,
            "row_section": False,
        }
        for cell in block.cells
    ]
    rows = max(cell.row + cell.row_span for cell in block.cells)
    return {
        "table_cells": cells,
        "num_rows": rows,
        "num_cols": max(cell.column + cell.column_span for cell in block.cells),
    }


def _box(page: Mapping[str, Any], box: Rect | None) -> Item:
    """A box in docling's form; that of the whole page for an item without a place."""
    return _rectangle(box or (0.0, 0.0, float(page["width"] or 1), float(page["height"] or 1)))


def _rectangle(box: Rect) -> Item:
    left, top, right, bottom = box
    return {"l": left, "t": top, "r": right, "b": bottom, "coord_origin": "TOPLEFT"}
