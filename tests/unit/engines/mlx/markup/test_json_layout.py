"""dots.ocr: a JSON list of elements with boxes."""

import json

import pytest

from tests.support.markup import HALF, boxes, parse, texts

BOX = [0, 0, 9, 9]


def layout(*cells):
    """Cells of (category, text) as dots.ocr answers them."""
    return json.dumps([{"bbox": BOX, "category": kind, "text": text} for kind, text in cells])


def test_a_page():
    cells = [
        {"bbox": [56, 10, 448, 30], "category": "Page-header", "text": "ACME"},
        {"bbox": [56, 56, 448, 112], "category": "Title", "text": "# Report"},
        {"bbox": [56, 120, 200, 200], "category": "Picture"},
        {"bbox": [56, 220, 448, 280], "category": "Formula", "text": "a^2"},
        {"bbox": [56, 300, 448, 400], "category": "Table", "text": "<table><tr><td>1</td><td>2</td></tr></table>"},
        {"bbox": [56, 410, 448, 420], "category": "Page-footer", "text": "7"},
    ]
    page = parse("dots", json.dumps(cells), HALF)
    assert page.markdown.split("\n\n")[:3] == ["ACME", "# Report", "$$\na^2\n$$"]
    assert texts(page) == ["ACME", "Report", "a^2", "1\t2", "7"]
    assert boxes(page)[1] == (112, 112, 896, 224)


@pytest.mark.parametrize("formula", ["a^2", r"\[a^2\]", r"\[ a^2 \]", "$$\na^2\n$$"])
def test_formulas_become_blocks(formula):
    """In each form that `format_transformer.py` of rednote-hilab/dots.ocr recognises."""
    page = parse("dots", layout(("Formula", formula)))
    assert (page.markdown, texts(page)) == ("$$\na^2\n$$", ["a^2"])


def test_formulas_in_a_text_keep_their_places():
    page = parse("dots", layout(("Formula", r"\[a\] or \[b\]"), ("Text", r"so \(c\)")))
    assert page.markdown == "$$a$$ or $$b$$\n\nso $c$"


@pytest.mark.parametrize("wrapped", ["{}", '{{"layout": {}}}', "```json\n{}\n```"])
def test_any_wrapping(wrapped):
    assert parse("dots", wrapped.format(layout(("Text", "one"), ("Text", "two")))).plain == "one\n\ntwo"


def test_the_text_of_a_cut_object_is_kept_with_its_box():
    answer = layout(("Text", "line 0"), ("Text", "line 1 is \\u00e4 long"))
    page = parse("dots", answer[: answer.index("long")])
    assert texts(page) == ["line 0", "line 1 is \\u00e4"]
    assert len(boxes(page)) == 2


@pytest.mark.parametrize(
    "tail", ['"te', '"text": nul', '"text": "', '"category": "Tex', '"text": "\\u00', '"text": "\\']
)
def test_what_is_cut_inside_of_the_notation_is_no_text(tail):
    assert parse("dots", '[{"bbox": [1, 2, 3, 4], ' + tail).plain == ""
    assert parse("dots", '[{"bbox": [1, 2, 3, 4], "text": "a"}, {"bbox": [1, 2').plain == "a"


@pytest.mark.parametrize(
    "box",
    ["[1, 2, 3]", "[NaN, 2, 3, 4]", "[1e999, 2, 3, 4]", "null", "[]", "[-9, -9, -1, -1]", "[5, 5, 5, 9]", '"1"', "{}"],
)
def test_wrong_coordinates_give_no_box(box):
    page = parse("dots", f'[{{"bbox": {box}, "category": "Text", "text": "kept"}}]')
    assert (page.plain, page.lines) == ("kept", [])


def test_a_box_is_moved_into_the_page_and_its_corners_are_put_in_order():
    page = parse("dots", '[{"bbox": [500, 700, -3, 99999], "category": "Text", "text": "x"}]')
    assert boxes(page) == [(0, 700, 500, 2000)]


def test_quotes_and_backslashes_that_are_not_escaped():
    answer = r'[{"bbox": [0, 0, 9, 9], "category": "Formula", "text": "\frac{\alpha}{\beta}"}, '
    answer += '{"bbox": [0, 0, 9, 9], "category": "Text", "text": "He said "yes" to 5" pipes"}]'
    page = parse("dots", answer)
    assert texts(page) == [r"\frac{\alpha}{\beta}", 'He said "yes" to 5" pipes']


def test_nesting_costs_no_stack():
    assert parse("dots", '{"a":' * 20_000 + '{"text": "deep"}').plain == "deep"
    assert parse("dots", "[" * 20_000 + '{"text": "deep"}').plain == "deep"


@pytest.mark.parametrize("answer", ["just text", 'He said: "yes" {maybe} [1]', "12", '["a", "b"]'])
def test_an_answer_without_elements_is_text(answer):
    assert parse("dots", answer).plain == answer


@pytest.mark.parametrize("answer", ["[]", "{}", "[{}]", "", "```json\n[]\n```"])
def test_an_empty_page(answer):
    page = parse("dots", answer)
    assert (page.plain, page.lines) == ("", [])


def test_words_outside_of_strings_are_kept():
    answer = 'Here it is: [{"bbox": ["left"], "category": "Text", "text": "a", "note": "b"}, "c"] Done.'
    assert parse("dots", answer).plain.split() == ["Here", "it", "is:", "a", "b", "left", '"c"]', "Done."]
