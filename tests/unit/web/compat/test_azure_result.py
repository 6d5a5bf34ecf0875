import json

import pytest
from azure.ai.documentintelligence.models import AnalyzeResult

from ocrqueue.web.compat import azure_result
from ocrqueue.web.compat.azure_result import MARKDOWN, TEXT
from ocrqueue.web.compat.azure_spans import Content, Places
from tests.support.two_pages import READ, RESULT, WITH_BLOCKS, block, cell, line


def analyze_result(result, model, content_format):
    return json.loads("".join(azure_result.analyze_result(result["pages"], model, content_format)))


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


def page(markdown, *texts, **more):
    """A page with these lines."""
    lines = [line(text, 10, 20 * place, 200, 20 * place + 10) for place, text in enumerate(texts)]
    return {**RESULT, "pages": [{**READ, "text": "\n".join(texts), "markdown": markdown, "lines": lines, **more}]}


def part(kind, text, *lines, **more):
    return {**block(kind, text, 10, 10, 200, 30, **more), "lines": list(lines)}


@pytest.mark.parametrize("content_format", [TEXT, MARKDOWN])
def test_each_paragraph_has_a_span_of_its_own(content_format):
    """Programs sort paragraphs by `spans[0].offset`, and mark their parts of the content."""
    blocks = [
        part("page_header", "Forms 3", 0),
        part("heading", "Answer", 1, level=1),
        part("paragraph", "It goes on * and on", 2, 3),
        part("heading", "Answer", 4, level=1),
        part("paragraph", "An example.", 5, 6),
    ]
    markdown = "# Answer\n\nIt goes on \\* and on\n\n# Answer\n\nAn example."
    texts_ = "Forms 3", "Answer", "It goes on *", "and on", "Answer", "An exam-", "ple."
    result = analyze_result(page(markdown, *texts_, blocks=blocks), "prebuilt-read", content_format)
    found = [texts(result, paragraph["spans"]) for paragraph in result["paragraphs"]]
    if content_format == TEXT:
        assert found == [["Forms 3"], ["Answer"], ["It goes on *\nand on"], ["Answer"], ["An exam-\nple."]]
    else:
        assert found == [[""], ["Answer"], ["It goes on \\* and on"], ["Answer"], ["An example."]]
    offsets = [paragraph["spans"][0]["offset"] for paragraph in result["paragraphs"]]
    assert offsets == sorted(offsets)
    assert len(set(offsets[1:])) == 4
    shown = [texts(result, found["spans"])[0] for found in result["pages"][0]["lines"]]
    assert shown[3] == "and on"
    if content_format == MARKDOWN:
        assert shown == ["", "Answer", "It goes on \\*", "and on", "Answer", "An", ""]


HTML = "<table><tr><th>Item</th><td>12</td></tr><tr><td>A &amp; B<br>new</td><td>2</td></tr></table>"


@pytest.mark.parametrize("markdown", [HTML, "| Item | 12 |\n| --- | --- |\n| A & B<br>new | 2 |", None])
def test_a_table_and_its_cells_have_spans(markdown):
    cells = [
        cell(0, 0, "Item", header=True),
        cell(0, 1, "12"),
        cell(1, 0, "A & B\nnew"),
        cell(1, 1, "2"),
        cell(1, 2, ""),
    ]
    blocks = [
        part("paragraph", "In 2012:", 0),
        part("table", "", 1, 2, 3, 4, 5, cells=cells),
        part("paragraph", "End", 6),
    ]
    lines = "In 2012:", "Item", "12", "A & B", "2", "new", "End"
    whole = f"In 2012:\n\n{markdown}\n\nEnd"
    given = TEXT if markdown is None else MARKDOWN
    result = analyze_result(page(whole, *lines, blocks=blocks), "prebuilt-layout", given)
    (table,) = result["tables"]
    assert texts(result, table["spans"]) == [markdown or "Item\n12\nA & B\n2\nnew"]
    ampersand = "&amp;" if markdown == HTML else "&"
    together = [f"A {ampersand} B", "new"]
    assert [texts(result, one["spans"]) for one in table["cells"]] == [["Item"], ["12"], together, ["2"], []]
    assert [texts(result, one["spans"]) for one in result["paragraphs"]] == [["In 2012:"], ["End"]]


def test_a_paragraph_with_a_note_has_the_spans_of_its_lines():
    result = analyze_result(
        page("Trees were planted.[^1] They grow.", "Trees were planted.1", "They grow.", blocks=[
            part("paragraph", "Trees were planted.1 They grow.", 0, 1),
        ]), "prebuilt-read", MARKDOWN,
    )  # fmt: skip
    (paragraph,) = result["paragraphs"]
    assert texts(result, paragraph["spans"])[-1].endswith("They grow.")


def test_texts_that_are_not_there_take_time_for_the_length_of_a_page_not_for_its_square(monkeypatch):
    """A PDF of 805 bytes held the event loop for three seconds: its long lines have two words in turn."""
    looked, find = 0, Content.search

    def search(self, text, wanted, begin, end):
        nonlocal looked
        before = self._left
        place = find(self, text, wanted, begin, end)
        looked += before - self._left
        return place

    monkeypatch.setattr(Content, "search", search)
    for length in (10_000, 100_000):
        text, looked = "to mation " * (length // 10), 0
        places = Places(Content(text), 0)
        for _ in range(length // 10):
            places.find("to infor-")
        assert looked < 30_000_000 + 2000 * length
    assert places.find("to mation")["length"] == len("to mation")
