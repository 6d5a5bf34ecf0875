"""Kinds of blocks by the names that models have for them."""

from ocrqueue.blocks import BlockKind

_NAMES = {
    BlockKind.TITLE: "title",
    BlockKind.HEADING: "section_header sub_title",
    BlockKind.LIST_ITEM: "list_item",
    BlockKind.TABLE: "table otsl document_index",
    BlockKind.CAPTION: "caption table_caption image_caption figure_caption",
    BlockKind.FOOTNOTE: "footnote table_footnote image_footnote page_footnote",
    BlockKind.PAGE_HEADER: "page_header header",
    BlockKind.PAGE_FOOTER: "page_footer footer page_number",
    BlockKind.PICTURE: "picture image figure chart seal",
    BlockKind.FORMULA: "formula equation",
    BlockKind.CODE: "code algorithm",
}
_KINDS = {name: kind for kind, names in _NAMES.items() for name in names.split()}


def kind_of(name: str) -> BlockKind | None:
    """The kind of block that a model calls so, such as `List-item`. None: that which its Markdown says."""
    return _KINDS.get(name.lower().replace("-", "_"))
