"""What holds for every parser and any answer: no word is lost, nothing raises, and no answer takes long."""

import gc
import json
import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocrqueue.engines.mlx.markup import PARSERS
from tests.support.markup import check_blocks, markdown_of, parse, text_of_blocks

# The marks of each notation, whole and broken. Words stand between them.
MARKS = {
    "text": [
        "\n", r"\(", r"\)", r"\[", r"\]", "$", "<fcel>", "<ecel>", "<lcel>", "<ucel>", "<xcel>", "<nl>",
    ],
    "markdown": [
        "\n", "\n\n", "# ", "**", "__", "|", "| --- | --- |", "\n| ", " |\n", "```\n", "\n```markdown\n", "![", "](",
        ")", "<table>", "</table>", "<tr>", "</tr>", "<td>", '<td colspan="2">', "<td rowspan=99>", "</td>", "<th>",
        "<br>", "<caption>", "<img>", "</img>", "<page_number>", "<p>", "</p>", "<sup>", "&amp;", "&lt;", "<script>",
        "<", ">", r"\begin{tabular}{ll}", r"\begin{tabular}", r"\end{tabular}", " & ", r"\&", r" \\ ", r"\\[2pt]",
        r"\hline", r"\multicolumn{2}{c}{", r"\multirow{3}{*}{", r"\textbf{", "{", "}", "$", r"\(", r"\)", r"\[",
        r"\]", r"\cline{1-2}",
    ],
    "olmocr": [
        "---\n", "\n---\n", "---", "\n", "primary_language: en\n", "is_rotation_valid: False\n",
        "rotation_correction: 90\n", "is_table: True\n", '{"primary_language": "en", ', '"natural_text": "', '"}',
        '"', "}", "null", "\\", "![", "](page_1_2_3_4.png)",
    ],
    "grounded": [
        "<|ref|>", "<|/ref|>", "<|det|>", "<|/det|>", "<|ref|>title<|/ref|>", "<|ref|>table<|/ref|>",
        "[[1, 2, 30, 40]]", "<|det|>[[1, 2, 30, 40]]<|/det|>", "<|det|>text [5, 6, 70, 80]<|/det|>", "[", "]", "\n",
        "<|", "|>", "nan", "-1, ",
    ],
    "dots": [
        "[", "]", "{", "}", '"', ", ", ": ", '{"bbox": [1, 2, 30, 40], ', '"category": "Text", ',
        '"category": "Formula", ', '"text": "', '"}', '"}, ', "[1, 2", "\\", r"\u00", r"\n", "```json\n", "\n```",
        "null", "NaN", "-", "1e999",
    ],
    "nemotron": [
        "<x_0.1>", "<y_0.2>", "<x_0.1><y_0.2>", "<x_0.5><y_0.6>", "<class_Text>", "<class_Title>", "<class_Formula>",
        "<class_Section-header>", "<class_Table>", "<x_-1>", "<x_9>", "<x_", "<class_", "\n", "# ",
        r"\begin{tabular}{ll}", r"\end{tabular}", " & ", r" \\ ", "</s>", "<s>",
    ],
    "florence": [
        "<loc_0>", "<loc_5>", "<loc_999>", "<loc_1000>", "<loc_-1>", "<loc_1>" * 8, "<loc_", "</s>", "<s>", "<pad>",
        "\n",
    ],
    "spotting": [
        "(10,20),(30,40)", "(10,20)", "(", ")", ",", "(9999,1),(1,9)", "(-1,2),(3,4)", "\n", "<|LOC_5|>",
        "<|LOC_1|>" * 8, "<|LOC_", "<|TEXT_START|>", "<|TEXT_END|>", "<|LOC_BEGIN|>", "<|LOC_END|>",
    ],
    "doctags": [
        "<text>", "</text>", "<title>", "</title>", "<list_item>", "</list_item>", "<inline>", "</inline>",
        "<picture>", "</picture>", "<chart>", "</chart>", "<otsl>", "</otsl>", "<caption>", "</caption>", "<formula>",
        "</formula>", "<code>", "</code>", "<table>", "</table>", "<ordered_list>", "</ordered_list>",
        "<handwritten_text>", "</handwritten_text>", "<key_1>", "</key_1>", "<section_header_level_1>",
        "</section_header_level_1>", "<doctag>", "<loc_1>", "<loc_1><loc_2><loc_30><loc_40>", "<loc_499>",
        "<_Python_>", "<bar_chart>", "<fcel>", "<ecel>", "<lcel>", "<ucel>", "<xcel>", "<ched>", "<nl>",
        "<page_break>", "<link_1>", "\n",
    ],
}  # fmt: skip
_WORDS = st.integers(0, 99).map("Wört-{}.".format)  # like no name and no number of any notation
# A page of each family, in its documented format.
_CELLS = [
    {"bbox": [1, 2, 30, 40], "category": "Title", "text": "# Head1 \u00e4\U0001f600 One2"},
    {"bbox": [1, 50, 30, 60], "category": "Formula", "text": r"\[\frac{Alpha3}{Beta4}\]"},
    {"bbox": [1, 70, 30, 90], "category": "Table", "text": "<table><tr><td>Cell5</td><td>Cell6</td></tr></table>"},
]
_LATEX = (
    r"\begin{tabular}{|l|c|} \hline \multirow{2}{*}{Cell1} & \textbf{Cell2} \\ & R\&D \\ Cell3 & $Alpha4$ \end{tabular}"
)
PAGES = {
    "text": ["Line1 \\(Alpha2\\) Line3\nLine4", "<fcel>Cell1<lcel><nl><fcel>Cell2<ecel><nl>"],
    "markdown": [
        "```markdown\n# Head1\n\n**Bold2** and $Alpha3$\n\n| Cell4 | Cell5 |\n| --- | --- |\n| Cell6 | Cell7 |\n```",
        f"Line1\n\n{_LATEX.replace('Cell', 'Place')}\n\n<img>Figure5</img> <page_number>Page6</page_number>",
        '<table><tr><th colspan="2">Head1</th></tr><tr><td>Cell2</td><td>&lt;Cell3</td></tr></table>\n\nAfter4',
    ],
    "olmocr": [
        "---\nprimary_language: en\nis_rotation_valid: False\nrotation_correction: 90\n---\nLine1 Line2",
        json.dumps({"primary_language": "en", "is_rotation_valid": True, "natural_text": 'Line1 "Line2"\nLine3'}),
    ],
    "grounded": [
        "<|ref|>title<|/ref|><|det|>[[1, 2, 30, 40]]<|/det|>\n# Head1\n<|ref|>text<|/ref|><|det|>[[1]]<|/det|>\nLine2",
        "<|det|>title [1, 2, 30, 40]<|/det|>Head1\n<|det|>text [1, 50, 60, 90]<|/det|>Line2 \\(Alpha3\\)",
        "<|ref|>Label1<|/ref|><|det|>[[1, 2, 30, 40]]<|/det|>\n<|ref|>Label2<|/ref|><|det|>[[1, 2, 30, 40]]<|/det|>",
    ],
    "dots": [
        json.dumps(_CELLS),
        json.dumps(_CELLS, ensure_ascii=False, indent=2),
        f"```json\n{json.dumps(_CELLS)}\n```",
    ],
    "nemotron": [
        f"""<x_0.1><y_0.1>Head1<x_0.9><y_0.2><class_Title><x_0.1><y_0.3>{_LATEX}<x_0.9><y_0.4><class_Table>
<x_0.1><y_0.5>Line5<x_0.9><y_0.6><class_Text>"""
    ],
    "florence": ["</s><s>Line1" + "<loc_5><loc_9>" * 4 + "Line2" + "<loc_50><loc_90>" * 4 + "</s>"],
    "spotting": ["Line1(10,20),(30,40)\nLine2 (Part3)(10,50),(30,60)", "Line1" + "<|LOC_5|><|LOC_9|>" * 4 + "\nLine2"],
    "doctags": [
        """<doctag><title><loc_1><loc_2><loc_30><loc_40>Head1</title><list_item><inline><text>Line2</text>
<formula>Alpha3</formula></inline></list_item><otsl><loc_1><loc_2><loc_30><loc_40><ched>Cell4<lcel><nl><fcel>Cell5
<ecel><nl><caption>Table6</caption></otsl></doctag>"""
    ],
}


@pytest.mark.parametrize("kind", PARSERS)
def test_no_word_is_lost(kind):
    @given(st.lists(st.one_of(_WORDS, st.sampled_from(MARKS[kind]), st.just(" ")), max_size=25))
    def check(parts):
        page = parse(kind, "".join(parts))
        words = [part for part in parts if part.startswith("Wört")]
        for text in (page.plain, markdown_of(page), text_of_blocks(page)):
            assert [word for word in words if text.count(word) < words.count(word)] == []
        check_blocks(page)

    check()


@pytest.mark.parametrize("kind", PARSERS)
@given(answer=st.text())
def test_any_text_is_an_answer(kind, answer):
    page = parse(kind, answer)
    assert isinstance(page.plain, str)
    check_blocks(page)


def _words(answer):
    """The words of a page and where they end."""
    return [(found[0], found.end()) for found in re.finditer(r"(?<![\w<])[A-Z][a-z]+\d\b(?!>)", answer)]


@pytest.mark.parametrize(("kind", "answer"), [(kind, answer) for kind, pages in PAGES.items() for answer in pages])
def test_a_page_that_is_cut_anywhere_keeps_its_words(kind, answer):
    words = _words(answer)
    assert words
    for end in range(len(answer) + 1):
        page = parse(kind, answer[:end])
        kept = [word for word, last in words if last <= end]
        for text in (page.plain, markdown_of(page), text_of_blocks(page)):
            assert [word for word in kept if word not in text] == [], answer[:end]
        check_blocks(page)


def _seconds(kind, answer):
    gc.disable()
    start = time.process_time()
    parse(kind, answer)
    seconds = time.process_time() - start
    gc.enable()
    return seconds


_SHORT, _TIMES = 500, 16  # characters of the short answer; the long one is so many times as long
_MOST = 90  # times as long as the short answer may the long one take: 16 if time is linear, 256 if it is quadratic
_LEAST = 0.0003  # seconds; shorter times cannot be compared


@pytest.mark.thorough
@pytest.mark.parametrize("kind", PARSERS)
def test_time_grows_with_the_length_of_the_answer_only(kind):
    beginnings = ["", *(mark for mark in MARKS[kind] if len(mark) > 6)][:6]
    slow = []
    for unit in MARKS[kind] + ["a" + mark for mark in MARKS[kind]] + [" ", "a ", "9", "\\", "((", "**a ", "![a"]:
        for beginning in beginnings if len(unit) < 3 else beginnings[:2]:
            count = _SHORT // len(unit)
            short, long = beginning + unit * count, beginning + unit * count * _TIMES
            ratios = (_seconds(kind, long) / max(_LEAST, _seconds(kind, short)) for _ in range(5))
            if all(ratio > _MOST for ratio in ratios):
                slow.append((beginning, unit))
    assert slow == []
