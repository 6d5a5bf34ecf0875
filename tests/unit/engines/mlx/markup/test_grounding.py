"""DeepSeek-OCR and Unlimited-OCR: kinds and boxes before the text."""

import pytest

from tests.support.markup import boxes, parse, texts


def test_deepseek_layout():
    answer = (
        "<|ref|>title<|/ref|><|det|>[[100, 50, 899, 99]]<|/det|>\n# Invoice\n\n"
        "<|ref|>image<|/ref|><|det|>[[0, 100, 999, 200]]<|/det|>\n\n"
        "<|ref|>text<|/ref|><|det|>[[100, 300, 500, 400]]<|/det|>\nTotal **12**\nEUR \\(x\\)\n"
        "<|ref|>table<|/ref|><|det|>[[0, 500, 999, 600]]<|/det|>\n<table><tr><td>a</td><td>b</td></tr></table>\n"
    )
    page = parse("grounded", answer)
    table = "<table><tr><td>a</td><td>b</td></tr></table>"
    assert page.markdown == f"# Invoice\n\nTotal **12**\nEUR $x$\n\n{table}"
    assert texts(page) == ["Invoice", "Total 12\nEUR $x$", "a\tb"]
    assert boxes(page)[:2] == [(100, 100, 900, 198), (100, 601, 501, 801)]


def test_unlimited_layout():
    """The kind and the box are both inside of `<|det|>`, and the text follows on the same line."""
    answer = (
        "<|det|>header [50, 10, 400, 20]<|/det|>ACME\n"
        "<|det|>title [52, 40, 816, 63]<|/det|>Annual report\n<|det|>sub_title [52, 71, 411, 87]<|/det|>First half\n"
        "<|det|>table [51,216,601,420]<|/det|><table><tr><td>Total</td><td>12</td></tr></table>\n"
        "<|det|>image [0, 500, 999, 700]<|/det|>\n<|det|>image_caption [0, 700, 999, 720]<|/det|>A mill\n"
        "<|det|>page_number [900, 950, 950, 970]<|/det|>7"
    )
    page = parse("grounded", answer)
    table = "<table><tr><td>Total</td><td>12</td></tr></table>"
    assert page.markdown == f"ACME\n\n# Annual report\n\n## First half\n\n{table}\n\nA mill\n\n7"
    assert texts(page) == ["ACME", "Annual report", "First half", "Total\t12", "A mill", "7"]
    assert boxes(page)[1] == (52, 80, 817, 126)


def test_several_boxes_for_one_text():
    """As `run_dpsk_ocr_image.py` of deepseek-ai/DeepSeek-OCR parses it: a list of boxes, from 0 to 999."""
    page = parse(
        "grounded", "<|ref|>text<|/ref|><|det|>[[100, 0, 200, 99], [50, 99, 300, 200]]<|/det|>\nin two columns"
    )
    assert (texts(page), boxes(page)) == (["in two columns"], [(50, 0, 300, 400)])


def test_texts_that_were_located():
    """The answer to `<|grounding|>OCR this image.`: the text stands where the kind is, even if it is a kind's name."""
    answer = "<|ref|>Hello < you<|/ref|><|det|>[[0, 0, 999, 999]]<|/det|>\n"
    answer += "<|ref|>text<|/ref|><|det|>[[0, 0, 99, 99]]<|/det|>"
    page = parse("grounded", answer)
    assert (texts(page), boxes(page)[0]) == (["Hello < you", "text"], (0, 0, 1000, 2000))


@pytest.mark.parametrize("formula", [r"\[a^2\]", "a^2"])
def test_an_equation_is_a_block(formula):
    page = parse("grounded", f"<|det|>equation [0, 0, 99, 99]<|/det|>{formula}")
    assert (page.markdown, texts(page)) == ("$$\na^2\n$$", ["a^2"])


def test_a_kind_without_text_is_no_text():
    assert parse("grounded", "<|ref|>text<|/ref|><|det|>[[0, 0, 99, 99]]<|/det|>\n").plain == ""


@pytest.mark.parametrize(
    "where",
    ["[[1, 2, 3]]", "[[nan, 2, 3, 4]]", "[]", "", "[[1, 2, 3, 4], [5]]", "[[5, 5, 5, 9]]", "[[2000, 1, 3000, 9]]"],
)
@pytest.mark.parametrize("form", ["<|ref|>text<|/ref|><|det|>{}<|/det|>\nkept", "<|det|>text {}<|/det|>kept"])
def test_wrong_coordinates_give_no_box(form, where):
    page = parse("grounded", form.format(where))
    assert (page.plain, page.lines) == ("kept", [])


def test_a_box_is_moved_into_the_page_and_its_corners_are_put_in_order():
    page = parse("grounded", "<|det|>text [500, 600, -20, 3000]<|/det|>x")
    assert boxes(page) == [(0, 1201, 501, 2000)]


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        ("before\n<|ref|>text<|/ref|><|det|>[[1, 2, 3]]<|/det|>\nno box", "before\n\nno box"),
        ("kept\n<|ref|>tit", "kept"),
        ("kept\n<|ref|>title<|/ref|><|det|>[[1, 2", "kept"),
        ("kept\n<|det|>text [10, 2", "kept"),
        ("kept\n<|re", "kept"),
        ("<|ref|>Hello<|/ref|><|det|>[[1, 2", "Hello"),
        ("<|det|>words here<|/det|> and there", "words here\nand there"),
        ("no marks", "no marks"),
    ],
)
def test_cut_and_odd_answers_keep_their_text(answer, text):
    assert parse("grounded", answer).plain == text
