"""Nemotron Parse: blocks on a canvas of its own, tables in LaTeX."""

import pytest

from ocrqueue.engines.mlx.view import View
from tests.support.markup import boxes, parse, texts

BLOCK = "<x_0.2><y_0.1>{}<x_0.8><y_0.2><class_{}>"


def test_the_canvas_is_centred():
    answer = (
        "<x_0.1995><y_0.0117>Report<x_0.8005><y_0.0605><class_Title>"
        "<x_0.1995><y_0.1094>Some *text*.<x_0.5><y_0.2070><class_Text>"
        "<x_0.1><y_0.3><x_0.2><y_0.4><class_Picture>"
    )
    page = parse("nemotron", answer)
    assert page.markdown == "# Report\n\nSome *text*."
    # A page of 1000 x 2000 lies in the middle of 1664 x 2048: 332 from the left, 24 from the top.
    assert boxes(page) == [(0, 0, 1000, 100), (0, 200, 500, 400)]


def test_a_page_larger_than_the_canvas_is_scaled_down():
    large = View((3328, 4096), (3328, 4096))
    page = parse("nemotron", "<x_0.25><y_0.5>x<x_0.5><y_0.75><class_Text>", large)
    assert boxes(page) == [(832, 2048, 1664, 3072)]


@pytest.mark.parametrize(
    ("kind", "text", "markdown"),
    [
        ("Title", "Report", "# Report"),
        ("Title", "# Report", "# Report"),
        ("Section-header", "Results", "## Results"),
        ("Section-header", "### 1.2 Method", "### 1.2 Method"),
        ("Formula", "a^2", "$$\na^2\n$$"),
        ("Formula", r"\(a^2\)", "$a^2$"),
        ("Inline-formula", r"$\alpha$", r"$\alpha$"),
        ("Page-header", "ACME", "ACME"),
        ("Caption", "Figure 1", "Figure 1"),
        ("Footnote", "1 See *there*.", "1 See *there*."),
        ("Text", "one<br>\ntwo", "one<br>\ntwo"),
        ("Table", "| a | b |\n| --- | --- |\n| 1 | 2 |", "| a | b |\n| --- | --- |\n| 1 | 2 |"),
    ],
)
def test_classes(kind, text, markdown):
    assert parse("nemotron", BLOCK.format(text, kind)).markdown == markdown


def test_a_table_becomes_html():
    latex = (
        r"\begin{tabular}{|l|c|c|} \hline \multirow{2}{*}{\textbf{Year}} & \multicolumn{2}{c|}{R\&D \{net\}} \\ "
        r"\cline{2-3} & a < b & $x_{1}$ \\ \hline 2024 & 12\,\% & \\ \hline \end{tabular}"
    )
    page = parse("nemotron", BLOCK.format(latex, "Table"))
    assert page.markdown == (
        "<table>\n"
        '<tr><td rowspan="2">Year</td><td colspan="2">R&amp;D {net}</td></tr>\n'
        "<tr><td>a &lt; b</td><td>$x_{1}$</td></tr>\n"
        r"<tr><td>2024</td><td>12\,%</td><td></td></tr>"
        "\n</table>"
    )
    assert texts(page) == ["Year\tR&D {net}\n\ta < b\t$x_{1}$\n2024\t12\\,%"]


def test_blocks_stay_in_the_models_order():
    """Version 1.1 puts pictures and captions last."""
    answer = BLOCK.format("text", "Text") + BLOCK.format("", "Picture") + BLOCK.format("Figure 1", "Caption")
    assert parse("nemotron", answer).plain == "text\n\nFigure 1"


@pytest.mark.parametrize(
    "answer",
    [
        "kept<x_0.5><y_0.5><class_Text>",
        "<x_0.1><y_0.2>kept<class_Text>",
        "<x_0.1><y_0.2>kept",
        "<x_0.1>kept<x_0.5><y_0.5><class_Text>",
        "<x_0.1><y_0.2>kept<x_0.1><y_0.2><class_Text>",
        "<x_-0.5><y_-0.5>kept<x_-0.1><y_-0.1><class_Text>",
        "<x_1><y_2><x_3><y_4>kept<x_5><y_6><class_Text>",
        "</s><s><predict_bbox><output_markdown>kept</s>",
    ],
)
def test_wrong_and_cut_coordinates_give_no_box(answer):
    page = parse("nemotron", answer)
    assert (page.plain, page.lines) == ("kept", [])


def test_a_box_is_moved_into_the_page_and_its_corners_are_put_in_order():
    page = parse("nemotron", "<x_0.5><y_0.5>x<x_-3><y_9><class_Text>")
    assert boxes(page) == [(0, 1000, 500, 2000)]


def test_a_cut_table_keeps_its_cells():
    page = parse("nemotron", r"<x_0.1><y_0.2>\begin{tabular}{ll} a & b \\ c & \multicolumn{2}{c}{d")
    assert page.plain == "a\tb\nc\td"
