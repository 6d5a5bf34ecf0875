"""Florence-2, HunyuanOCR and PaddleOCR-VL: a text, then its place."""

import pytest

from tests.support.markup import boxes, parse, texts


def test_florence_regions_are_quadrangles():
    page = parse("florence", "</s><s>ONE<loc_0><loc_0><loc_500><loc_10><loc_500><loc_60><loc_0><loc_50>TWO</s>")
    assert texts(page) == ["ONE"]
    assert page.lines[0].box == ((0.5, 1), (500.5, 21), (500.5, 121), (0.5, 101))  # the middle of each bin
    assert page.plain == "ONE\nTWO"


def test_florence_without_regions():
    assert parse("florence", "plain <loc_1>text").plain == "plain\ntext"


def test_hunyuan_spotting():
    page = parse("spotting", "Invoice 12(100,50),(500,80)\nTotal (EUR)(100,100),(500,130)\nf(x), (y)(0,0),(9,9)")
    assert texts(page) == ["Invoice 12", "Total (EUR)", "f(x), (y)"]
    assert boxes(page)[:2] == [(100, 100, 500, 160), (100, 200, 500, 260)]
    assert parse("spotting", "no places").plain == "no places"


def test_hunyuan_with_text_after_the_last_place():
    page = parse("spotting", "Invoice(100,50),(500,80)\nTotal (1")
    assert (page.plain, texts(page)) == ("Invoice\nTotal (1", ["Invoice"])


@pytest.mark.parametrize(
    "form", ["{0}{1}\n", "<|TEXT_START|>{0}<|TEXT_END|><|LOC_BEGIN|>{1}<|LOC_END|>"], ids=["bare", "marked"]
)
def test_paddleocr_spotting(form):
    """Both forms that PaddleX's `post_process_for_spotting` reads: four corners, in thousandths."""
    quads = [(10, 20, 300, 25, 300, 60, 10, 55), (10, 100, 500, 100, 500, 130, 10, 130)]
    marks = ["".join(f"<|LOC_{n}|>" for n in quad) for quad in quads]
    page = parse("spotting", form.format("Invoice", marks[0]) + form.format("Total (EUR)", marks[1]))
    assert texts(page) == ["Invoice", "Total (EUR)"]
    assert page.lines[0].box == ((10, 40), (300, 50), (300, 120), (10, 110))
    assert page.plain == "Invoice\nTotal (EUR)"


@pytest.mark.parametrize(
    ("kind", "answer"),
    [
        ("spotting", "kept<|LOC_1|><|LOC_2|>"),
        ("spotting", "kept" + "<|LOC_1|>" * 9),
        ("spotting", "kept" + "<|LOC_5|>" * 8),
        ("spotting", "kept" + "<|LOC_-5|><|LOC_-3|>" * 4),
        ("spotting", "<|TEXT_START|>kept"),
        ("spotting", "kept(5,5),(5,9)"),
        ("spotting", "kept(1001,1),(2000,9)"),
        ("florence", "kept<loc_1><loc_2><loc_3><loc_4>"),
        ("florence", "kept" + "<loc_2000>" * 8),
    ],
)
def test_wrong_and_cut_places_give_no_box(kind, answer):
    page = parse(kind, answer)
    assert (page.plain, page.lines) == ("kept", [])


def test_a_box_is_moved_into_the_page_and_its_corners_are_put_in_order():
    assert boxes(parse("spotting", "x(500,700),(-5,3000)")) == [(0, 1400, 500, 2000)]


def test_a_line_without_a_place_is_in_the_text_only():
    page = parse("spotting", "one<|LOC_1|>two" + "".join(f"<|LOC_{n}|>" for n in (1, 1, 9, 1, 9, 9, 1, 9)))
    assert (page.plain, texts(page)) == ("one\ntwo", ["two"])
