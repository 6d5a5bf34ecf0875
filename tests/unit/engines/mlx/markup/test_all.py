"""Answers in the formats that the models' authors document, and answers that are cut off or malformed."""

import json

import pytest

from ocrqueue.engines.mlx.markup import PARSERS
from ocrqueue.engines.mlx.view import View

VIEW = View((1000, 2000), (1000, 2000))
HALF = View((1000, 2000), (560, 1120), 0.5)  # shown at half size, padded on the right and at the bottom


def parse(kind, answer, view=VIEW):
    return PARSERS[kind](answer, view).page


def boxes(page):
    return [tuple(round(n) for point in (line.box[0], line.box[2]) for n in point) for line in page.lines]


def test_plain_text():
    assert parse("text", " one\ntwo \n").plain == "one\ntwo"


def test_markdown_keeps_its_marks_and_its_text_has_none():
    page = parse("markdown", "```markdown\n# Title\n\n**Sum** of a_b\n\n| a | b |\n| --- | --- |\n| 1 | 2 |\n```")
    assert page.markdown.startswith("# Title\n\n**Sum**")
    assert page.plain == "Title\n\nSum of a_b\n\n| a | b |\n| 1 | 2 |"


def test_an_html_table_is_readable_as_text():
    page = parse("markdown", "<table><tr><td>a</td><td>b</td></tr><tr><td>1</td><td>2</td></tr></table>")
    assert page.plain == "a\tb\n1\t2"


@pytest.mark.parametrize(
    "answer",
    [
        json.dumps({"primary_language": "en", "is_rotation_valid": True, "natural_text": "# Hello\nworld"}),
        "---\nprimary_language: en\nis_table: False\n---\n# Hello\nworld",
    ],
)
def test_olmocr_metadata_is_removed(answer):
    page = parse("olmocr", answer)
    assert page.markdown == "# Hello\nworld"
    assert page.plain == "Hello\nworld"


@pytest.mark.parametrize(
    ("valid", "correction", "turn"),
    [("False", 90, 270), ("false", 270, 90), ("False", 180, 180), ("True", 90, 0), ("False", 0, 0), ("False", 45, 0)],
)
def test_front_matter_of_olmocr_counts_the_rotation_counterclockwise(valid, correction, turn):
    answer = f"---\nis_rotation_valid: {valid}\nrotation_correction: {correction}\nis_table: False\n---\nword"
    parsed = PARSERS["olmocr"](answer, VIEW)
    assert (parsed.page.plain, parsed.turn) == ("word", turn)


@pytest.mark.parametrize(("valid", "correction", "turn"), [(False, 90, 90), (True, 90, 0), (False, None, 0)])
def test_json_of_olmocr_counts_the_rotation_clockwise(valid, correction, turn):
    fields = {"is_rotation_valid": valid, "rotation_correction": correction, "natural_text": "word"}
    parsed = PARSERS["olmocr"](json.dumps(fields), VIEW)
    assert (parsed.page.plain, parsed.turn) == ("word", turn)


def test_olmocr_on_an_empty_page():
    assert parse("olmocr", '{"natural_text": null}').plain == ""
    assert parse("olmocr", "---\nprimary_language: null\n---").plain == ""


def test_deepseek_grounding():
    answer = (
        "<|ref|>title<|/ref|><|det|>[[100, 50, 899, 99]]<|/det|>\n# Invoice\n\n"
        "<|ref|>image<|/ref|><|det|>[[0, 100, 999, 200]]<|/det|>\n\n"
        "<|ref|>text<|/ref|><|det|>[[100, 300, 500, 400]]<|/det|>\nTotal **12**\nEUR\n"
    )
    page = parse("grounded", answer)
    assert page.markdown == "# Invoice\n\nTotal **12**\nEUR"
    assert [line.text for line in page.lines] == ["Invoice", "Total 12\nEUR"]
    assert boxes(page) == [(100, 100, 900, 198), (100, 601, 501, 801)]


def test_deepseek_with_several_boxes_for_one_text():
    """As `run_dpsk_ocr_image.py` of deepseek-ai/DeepSeek-OCR parses it: a list of boxes, from 0 to 999."""
    page = parse(
        "grounded", "<|ref|>text<|/ref|><|det|>[[100, 0, 200, 99], [50, 99, 300, 200]]<|/det|>\nin two columns"
    )
    assert [line.text for line in page.lines] == ["in two columns"]
    assert boxes(page) == [(50, 0, 300, 400)]


def test_deepseek_text_as_its_own_label():
    page = parse("grounded", "<|ref|>Hello<|/ref|><|det|>[[0, 0, 999, 999]]<|/det|>")
    assert [line.text for line in page.lines] == ["Hello"]
    assert boxes(page) == [(0, 0, 1000, 2000)]


def test_deepseek_cut_off_keeps_its_text():
    page = parse("grounded", "before\n<|ref|>text<|/ref|><|det|>[[1, 2, 3]]<|/det|>\nno box")
    assert page.lines == []
    assert page.plain == "before\n\nno box"


def test_dots_layout():
    cells = [
        {"bbox": [56, 56, 448, 112], "category": "Title", "text": "# Report"},
        {"bbox": [56, 120, 200, 200], "category": "Picture"},
        {"bbox": [56, 220, 448, 280], "category": "Formula", "text": "a^2"},
        {"bbox": [56, 300, 448, 400], "category": "Table", "text": "<table><tr><td>1</td><td>2</td></tr></table>"},
    ]
    page = parse("dots", json.dumps(cells), HALF)
    assert page.markdown.split("\n\n")[:2] == ["# Report", "$$\na^2\n$$"]
    assert [line.text for line in page.lines] == ["Report", "a^2", "1\t2"]
    assert boxes(page)[0] == (112, 112, 896, 224)


@pytest.mark.parametrize("formula", ["a^2", r"\[a^2\]", r"\[ a^2 \]", "$$\na^2\n$$"])
def test_dots_formulas_become_blocks(formula):
    """In each form that `format_transformer.py` of rednote-hilab/dots.ocr recognises."""
    page = parse("dots", json.dumps([{"bbox": [0, 0, 9, 9], "category": "Formula", "text": formula}]))
    assert page.markdown == "$$\na^2\n$$"


@pytest.mark.parametrize("wrapped", ["{}", '{{"layout": {}}}', "```json\n{}\n```"])
def test_dots_in_any_wrapping_and_cut_off(wrapped):
    cells = json.dumps([{"bbox": [0, 0, 9, 9], "category": "Text", "text": f"line {n}"} for n in range(3)])
    assert parse("dots", wrapped.format(cells)).plain == "line 0\n\nline 1\n\nline 2"
    assert parse("dots", cells[:-20]).plain == "line 0\n\nline 1"


def test_dots_answering_with_text_or_with_nothing():
    assert parse("dots", "just text").plain == "just text"
    assert parse("dots", "[]").plain == ""
    odd = json.dumps([{"bbox": ["a"], "category": "Text", "text": "no box"}])
    assert (parse("dots", odd).plain, parse("dots", odd).lines) == ("no box", [])


def test_nemotron_on_its_centred_canvas():
    answer = (
        "<x_0.1995><y_0.0117>Report<x_0.8005><y_0.0605><class_Title>"
        "<x_0.1995><y_0.1094>Some *text*.<x_0.5><y_0.2070><class_Text>"
        "<x_0.1><y_0.3><x_0.2><y_0.4><class_Picture>"
    )
    page = parse("nemotron", answer)
    assert page.markdown == "# Report\n\nSome *text*."
    # A page of 1000 x 2000 lies in the middle of 1664 x 2048: 332 from the left, 24 from the top.
    assert boxes(page) == [(0, 0, 1000, 100), (0, 200, 500, 400)]


def test_nemotron_scales_down_a_page_larger_than_its_canvas():
    large = View((3328, 4096), (3328, 4096))
    page = parse("nemotron", "<x_0.25><y_0.5>x<x_0.5><y_0.75><class_Text>", large)
    assert boxes(page) == [(832, 2048, 1664, 3072)]


def test_nemotron_cut_off_keeps_its_text():
    assert parse("nemotron", "<x_0.1><y_0.2>unfinished te").plain == "unfinished te"


def test_florence_regions_are_quadrangles():
    page = parse("florence", "</s><s>ONE<loc_0><loc_0><loc_500><loc_10><loc_500><loc_60><loc_0><loc_50>TWO</s>")
    assert [line.text for line in page.lines] == ["ONE"]
    assert page.lines[0].box == ((0, 0), (500, 20), (500, 120), (0, 100))
    assert page.plain == "ONE"


def test_florence_without_regions():
    assert parse("florence", "plain <loc_1>text").plain == "plain text"


def test_hunyuan_spotting():
    page = parse("spotting", "Invoice 12(100,50),(500,80)\nTotal (EUR)(100,100),(500,130)")
    assert [line.text for line in page.lines] == ["Invoice 12", "Total (EUR)"]
    assert boxes(page) == [(100, 100, 500, 160), (100, 200, 500, 260)]
    assert parse("spotting", "no places").plain == "no places"


@pytest.mark.parametrize(
    "form", ["{0}{1}\n", "<|TEXT_START|>{0}<|TEXT_END|><|LOC_BEGIN|>{1}<|LOC_END|>"], ids=["bare", "marked"]
)
def test_paddleocr_spotting(form):
    """Both forms that PaddleX's `post_process_for_spotting` reads: four corners, in thousandths."""
    quads = [(10, 20, 300, 25, 300, 60, 10, 55), (10, 100, 500, 100, 500, 130, 10, 130)]
    marks = ["".join(f"<|LOC_{n}|>" for n in quad) for quad in quads]
    page = parse("spotting", form.format("Invoice", marks[0]) + form.format("Total (EUR)", marks[1]))
    assert [line.text for line in page.lines] == ["Invoice", "Total (EUR)"]
    assert page.lines[0].box == ((10, 40), (300, 50), (300, 120), (10, 110))
    assert page.plain == "Invoice\nTotal (EUR)"


def test_paddleocr_spotting_cut_short_keeps_its_text():
    assert parse("spotting", "Invoice<|LOC_1|><|LOC_2|>").plain == "Invoice"


def test_nanonets_tags_are_not_in_the_text():
    """The tags that the prompt of Nanonets-OCR-s asks for; Markdown keeps them."""
    answer = "<watermark>COPY</watermark>\n\n☑ paid\n\n<img>A bar chart</img>\n\n<page_number>9/22</page_number>"
    page = parse("markdown", answer)
    assert page.markdown == answer
    assert page.plain == "COPY\n\n☑ paid\n\nA bar chart\n\n9/22"


def test_doctags():
    answer = (
        "<doctag><page_header><loc_50><loc_10><loc_450><loc_20>Journal</page_header>"
        "<section_header_level_1><loc_50><loc_25><loc_450><loc_50>Results</section_header_level_1>\n"
        "<text><loc_50><loc_100><loc_250><loc_150>It is < 5.</text>"
        "<unordered_list><list_item><loc_60><loc_160><loc_200><loc_170>first</list_item></unordered_list>"
        "<picture><loc_0><loc_200><loc_100><loc_300></picture>"
        "<formula><loc_50><loc_310><loc_250><loc_320>a=b</formula>"
        "<otsl><loc_50><loc_350><loc_450><loc_400><ched>A<ched>B<nl><fcel>1<ecel><nl></otsl></doctag><|end_of_text|>"
    )
    page = parse("doctags", answer)
    assert page.markdown == (
        "Journal\n\n## Results\n\nIt is < 5.\n\n- first\n\n$$\na=b\n$$\n\n| A | B |\n| --- | --- |\n| 1 |  |"
    )
    assert [line.text for line in page.lines][:3] == ["Journal", "Results", "It is < 5."]
    assert boxes(page)[1] == (100, 100, 900, 200)


@pytest.mark.parametrize(
    ("answer", "markdown"),
    [
        ("<title>Report</title>\n<text>no place</text>", "# Report\n\nno place"),
        (
            "<unordered_list><list_item>one</list_item>\n<ordered_list><list_item>deeper</list_item></ordered_list>\n",
            "- one\n\n- deeper",
        ),
        ("<list_item><inline><text>Press</text>\n<code><_unknown_>q</code>\n</inline></list_item>", "- Press q"),
        ("<code><loc_1><loc_2><loc_3><loc_4><_C++_>vector<int> a;</code>", "```\nvector<int> a;\n```"),
        ("<picture><loc_1><loc_2><loc_3><loc_4><bar_chart></picture>", ""),
        (
            "<picture><loc_1><loc_2><loc_3><loc_4><caption><loc_1><loc_2><loc_3><loc_4>Figure 1</caption></picture>",
            "Figure 1",
        ),
        (
            "<document_index><loc_1><loc_2><loc_3><loc_4><fcel>Contents<fcel>1<nl></document_index>",
            "| Contents | 1 |\n| --- | --- |",
        ),
        ("<checkbox_selected><loc_1><loc_2><loc_3><loc_4>paid</checkbox_selected>", "- [x] paid"),
        ("<text><loc_1><loc_2><loc_3><loc_4>whole</text>\n<text><loc_1><loc_2><loc_3><loc_4>cut sh", "whole\n\ncut sh"),
    ],
)
def test_doctags_of_each_kind(answer, markdown):
    """Elements as docling-core writes them (`test/data/doc/*.dt`, `types/doc/tokens.py`)."""
    assert parse("doctags", f"<doctag>{answer}</doctag>").markdown == markdown


def test_doctags_cut_off_keep_their_text():
    page = parse("doctags", "<doctag><text><loc_1><loc_2><loc_3><loc_4>never closed")
    assert (page.plain, page.lines) == ("never closed", [])


@pytest.mark.parametrize("kind", PARSERS)
@pytest.mark.parametrize(
    "answer", ["", " \n", "<", "{", "[[", "<|ref|>", "\x00", "a" * 5000, "(" * 2000, '{"a":' * 2000]
)
def test_malformed_answers_raise_nothing(kind, answer):
    page = parse(kind, answer)
    assert isinstance(page.plain, str)
    if answer.isalpha():
        assert page.plain == answer
