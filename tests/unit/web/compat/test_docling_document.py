import json

from docling_core.types.doc import DoclingDocument

from ocrqueue.web.compat import docling_document as module
from tests.support.two_pages import READ, RESULT, WITH_BLOCKS


def docling_document(result):
    return json.loads("".join(module.docling_document(result["source"]["name"], result["pages"])))


def test_docling_core_reads_the_document_and_finds_the_text():
    document = DoclingDocument.model_validate(docling_document(RESULT))
    assert [item.text for item in document.texts] == ["Annual report", "The year was\ngood."]
    assert document.export_to_markdown().split() == "Annual report The year was good.".split()
    assert {number: (page.size.width, page.size.height) for number, page in document.pages.items()} == {1: (400, 600)}


def test_a_paragraph_has_the_box_around_its_lines():
    document = DoclingDocument.model_validate(docling_document(RESULT))
    boxes = [item.prov[0].bbox.as_tuple() for item in document.texts]
    assert boxes == [(10, 10, 200, 30), (10, 60, 180, 110)]


def test_text_without_places_has_the_box_of_the_page():
    document = DoclingDocument.model_validate(docling_document({**RESULT, "pages": [{**READ, "lines": []}]}))
    assert {item.prov[0].bbox.as_tuple() for item in document.texts} == {(0, 0, 400, 600)}


def test_a_result_without_pages_is_an_empty_document():
    assert DoclingDocument.model_validate(docling_document({**RESULT, "pages": []})).texts == []


def test_blocks_become_headings_lists_tables_and_furniture():
    document = DoclingDocument.model_validate(docling_document({**RESULT, "pages": [WITH_BLOCKS]}))
    assert [(item.label.value, item.text) for item in document.texts] == [
        ("section_header", "Annual report"), ("list_item", "first"), ("list_item", "second"), ("page_footer", "3"),
    ]  # fmt: skip
    assert len(document.groups[0].children) == 2
    (table,) = document.tables
    assert (table.data.num_rows, table.data.num_cols) == (2, 2)
    assert [(cell.text, cell.col_span, cell.column_header) for cell in table.data.table_cells] == [
        ("Sales", 2, True), ("12", 1, False), ("13", 1, False),
    ]  # fmt: skip
    markdown = document.export_to_markdown()
    assert "## Annual report" in markdown
    assert "- first" in markdown
    assert "3" not in markdown.split()
