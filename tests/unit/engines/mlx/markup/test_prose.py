"""Answers in text and Markdown: GLM-OCR, LightOnOCR, HunyuanOCR, Nanonets, PaddleOCR-VL, GOT."""

import pytest

from tests.support.markup import parse


def test_plain_text():
    assert parse("text", " one\ntwo \n").plain == "one\ntwo"
    assert parse("text", "# no heading").plain == "# no heading"


def test_markdown_keeps_its_marks_and_its_text_has_none():
    page = parse("markdown", "```markdown\n# Title\n\n**Sum** of a_b\n\n| a | b |\n| --- | --- |\n| 1 | 2 |\n```")
    assert page.markdown == "# Title\n\n**Sum** of a_b\n\n| a | b |\n| --- | --- |\n| 1 | 2 |"
    assert page.plain == "Title\n\nSum of a_b\n\na\tb\n1\t2"


def test_a_table_in_html_stays_html_and_is_readable_as_text():
    """As GLM-OCR answers to `Table Recognition:`."""
    table = "<table><tr><td>R&amp;D</td><td>&lt; 5</td></tr><tr><td>1</td><td>2</td></tr></table>"
    page = parse("markdown", table)
    assert page.markdown == table
    assert page.plain == "R&D\t< 5\n1\t2"


@pytest.mark.parametrize("kind", ["text", "markdown"])
def test_a_table_in_otsl(kind):
    """As PaddleOCR-VL answers to `Table Recognition:`."""
    page = parse(kind, "<fcel>Year<fcel>Sum<nl><fcel>2024<fcel>12<nl>")
    assert page.markdown == "| Year | Sum |\n| --- | --- |\n| 2024 | 12 |"
    assert page.plain == "Year\tSum\n2024\t12"


def test_a_table_in_otsl_with_spans_is_html():
    page = parse("text", "<fcel>Head<lcel><nl><fcel>a<fcel>b<nl>")
    assert page.markdown == '<table>\n<tr><td colspan="2">Head</td></tr>\n<tr><td>a</td><td>b</td></tr>\n</table>'
    assert page.plain == "Head\na\tb"


def test_text_around_a_table_in_otsl_is_kept():
    page = parse("text", "Table 1 <fcel>a<fcel>b<nl><fcel>1<fcel>2<nl> Source: X")
    assert page.plain == "Table 1\n\na\tb\n1\t2\n\nSource: X"


def test_a_table_in_latex_is_html():
    """As GOT answers to `OCR with format: `."""
    page = parse("markdown", "Before\n\\begin{tabular}{|l|r|}\n\\hline a & b \\\\\n\\hline\n\\end{tabular}\nafter")
    assert page.markdown == "Before\n\n<table>\n<tr><td>a</td><td>b</td></tr>\n</table>\n\nafter"
    assert page.plain == "Before\n\na\tb\n\nafter"


@pytest.mark.parametrize("kind", ["text", "markdown", "olmocr"])
def test_formulas_have_dollars_in_every_family(kind):
    page = parse(kind, "So \\(x^2\\) is\n\\[ y = \\frac{a}{b} \\]\nhere")
    assert page.plain == "So $x^2$ is\n$$\ny = \\frac{a}{b}\n$$\nhere"


def test_nanonets_tags_are_not_in_the_text():
    """The tags that the prompt of Nanonets-OCR asks for; Markdown keeps them."""
    answer = "<watermark>COPY</watermark>\n\n☑ paid\n\n<img>A bar chart</img>\n\n<page_number>9/22</page_number>"
    page = parse("markdown", answer)
    assert page.markdown == answer
    assert page.plain == "COPY\n\n☑ paid\n\nA bar chart\n\n9/22"


@pytest.mark.parametrize("kind", ["text", "markdown", "olmocr"])
def test_scripts_are_data(kind):
    answer = '<script>alert("x")</script> [a](javascript:b)'
    assert parse(kind, answer).plain == answer
