import pytest
from azure.ai.documentintelligence.models import AnalyzeResult

from ocrqueue.web.compat.azure_result import MARKDOWN, TEXT, analyze_result
from tests.support.two_pages import READ, RESULT, WITH_BLOCKS, line


def texts(result, spans):
    return [result["content"][span["offset"] : span["offset"] + span["length"]] for span in spans]


def test_azures_own_model_reads_the_result():
    result = AnalyzeResult(analyze_result(RESULT, "prebuilt-read", TEXT))
    assert result.content == "Annual report\nThe year was\ngood.\n"
    first, second = result.pages
    assert (first.page_number, first.width, first.unit, second.page_number, second.lines) == (1, 400, "pixel", 2, [])
    assert [found.content for found in first.lines] == ["Annual report", "The year was", "good."]
    assert first.lines[0].polygon == [10, 10, 200, 10, 200, 30, 10, 30]
    assert [word.content for word in first.words] == ["Annual", "report", "The", "year", "was", "good."]
    assert {word.confidence for word in first.words} == {0.9}


@pytest.mark.parametrize("content_format", [TEXT, MARKDOWN])
def test_every_span_holds_the_text_of_its_word_line_and_page(content_format):
    page = {**READ, "lines": [*READ["lines"], line("nicht im Text", 1, 120, 9, 130), line("", 1, 1, 2, 2)]}
    result = analyze_result({**RESULT, "pages": [READ, page]}, "prebuilt-read", content_format)
    for shown in result["pages"]:
        for part in (*shown["lines"], *({**word, "spans": [word["span"]]} for word in shown["words"])):
            (found,) = texts(result, part["spans"])
            assert found in (part["content"], "")
    assert texts(result, result["pages"][1]["spans"])[0] in result["content"]


def test_a_line_that_the_markdown_divides_has_an_empty_span():
    result = analyze_result(RESULT, "prebuilt-read", MARKDOWN)
    assert result["content"].startswith("# Annual report\n\nThe year was good.")
    assert texts(result, [line["spans"][0] for line in result["pages"][0]["lines"]]) == [
        "Annual report",
        "The year was",
        "good.",
    ]


def test_blocks_become_paragraphs_with_roles_and_tables():
    result = AnalyzeResult(analyze_result({**RESULT, "pages": [WITH_BLOCKS]}, "prebuilt-layout", TEXT))
    shown = [(paragraph.role, paragraph.content) for paragraph in result.paragraphs]
    assert shown == [("sectionHeading", "Annual report"), (None, "first"), (None, "second"), ("pageFooter", "3")]
    (table,) = result.tables
    assert (table.row_count, table.column_count, table.bounding_regions[0].page_number) == (2, 2, 1)
    assert [(cell.kind, cell.content, cell.column_span) for cell in table.cells] == [
        ("columnHeader", "Sales", 2), ("content", "12", 1), ("content", "13", 1),
    ]  # fmt: skip
    (span,) = result.paragraphs[0].spans
    assert result.content[span.offset : span.offset + span.length] == "Annual report"
