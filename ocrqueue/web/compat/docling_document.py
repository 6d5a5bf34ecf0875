"""A result as a DoclingDocument, the JSON document of docling-core (https://github.com/docling-project/docling-core).

The client of docling-serve builds its document from it. Each block of a page becomes an item with its box; on a page
without blocks, each paragraph becomes a text item. Running heads and feet are docling's "furniture".
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ocrqueue.blocks import Block, BlockKind
from ocrqueue.geometry import Rect, bounds
from ocrqueue.storage.blocks import block_of
from ocrqueue.web.content.paragraphs import around, paragraphs
from ocrqueue.web.content.pieces import LaterItems, dumped

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


def docling_document(name: str, pages: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """The JSON of the document with these pages of a result of the schema "ocr-queue/1", in parts.

    `name` is that of the file. Pages that were not read have no items. It holds one page in memory at a time.
    """
    made, sizes = _Document(), LaterItems()
    for page in pages:
        made.add_page(page)
        if page["width"]:
            sizes.add(_page(page), str(page["page"]))
        yield ""  # others have their turn
    made.end_list()
    about = {"schema_name": "DoclingDocument", "version": _VERSION, "name": name.rpartition(".")[0] or name}
    yield dumped({**about, "key_value_items": [], "form_items": []})[:-1] + ', "pages": {'
    yield from sizes.parts()
    yield "}"
    for layer, children in made.children.items():
        yield f', "{layer}": ' + dumped(_root(layer))[:-1] + ', "children": ['
        yield from children.parts()
        yield "]}"
    for where, items in made.items.items():
        yield f', "{where}": ['
        yield from items.parts()
        yield "]"
    yield "}"


class _Document:
    """A document that grows by one item after another."""

    def __init__(self) -> None:
        self.children = {layer: LaterItems() for layer in (_FURNITURE, _BODY)}  # references to items
        self.items = {where: LaterItems() for where in ("groups", "texts", "pictures", "tables")}
        self._list: Item | None = None  # the list to which the next list item belongs; not among `items` yet

    def add_page(self, page: Mapping[str, Any]) -> None:
        """Add the blocks of a page, or its paragraphs if it has none."""
        if page.get("blocks") is None:
            for text, lines in paragraphs(page):
                self.add_text(page, "text", text, around(lines))
        else:
            for block in map(block_of, page["blocks"]):
                self.add(page, block)

    def end_list(self) -> None:
        """The next list item belongs to another list."""
        if self._list is not None:
            self.items["groups"].add(self._list)
            self._list = None

    def add(self, page: Mapping[str, Any], block: Block) -> None:
        """Add a block of a page."""
        box = None if block.box is None else bounds(block.box)
        if block.kind != BlockKind.LIST_ITEM:
            self.end_list()
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
        if label != "list_item":
            self._put("texts", layer, item | (_KINLESS if label == "code" else {}))
            return
        if self._list is None:
            self._list = {"name": "list", "label": "list", "content_layer": _BODY, "children": []}
            self.children[_BODY].add(self._name("groups", self._list, f"#/{_BODY}"))
        self._list["children"].append(self._name("texts", item, self._list["self_ref"]))
        self.items["texts"].add(item)

    def _put(self, where: str, layer: str, item: Item) -> None:
        """Give an item its name, and add it to a layer."""
        self.children[layer].add(self._name(where, item, f"#/{layer}"))
        self.items[where].add(item)

    def _name(self, where: str, item: Item, parent: str) -> Item:
        """Give an item its name and its parent; returns the reference to it."""
        item["self_ref"] = f"#/{where}/{self.items[where].count}"
        item["parent"] = {"$ref": parent}
        return {"$ref": item["self_ref"]}

    @staticmethod
    def _item(page: Mapping[str, Any], label: str, box: Rect | None, length: int = 0) -> Item:
        place = {"page_no": page["page"], "bbox": _box(page, box), "charspan": [0, length]}
        return {"children": [], "content_layer": _BODY, "label": label, "prov": [place]}


def _root(layer: str) -> Item:
    return {"self_ref": f"#/{layer}", "content_layer": layer, "name": "_root_", "label": "unspecified"}


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
