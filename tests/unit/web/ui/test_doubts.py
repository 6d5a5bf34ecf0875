"""Which words of a page are marked as doubtful, and where they are."""

from ocrqueue.web.ui.doubts import parts_of
from tests.support.two_pages import box


def line(text: str, confidence: float | None, **more: object) -> dict[str, object]:
    return {"text": text, "box": box(0, 0, 100, 20), "confidence": confidence, "origin": "ocr", **more}


def shown(*lines: dict[str, object]) -> list[list[tuple[str, int]]]:
    """The text of each part, and the number of the doubtful word that it is."""
    return [[(part.text, part.number) for part in parts] for parts in parts_of({"lines": lines})]


def test_doubtful_words_are_cut_out_of_their_lines_and_numbered_over_the_page() -> None:
    first = line("to bc or not", 0.9, words=[[0, 2, 0.9], [3, 5, 0.4], [6, 8, 0.99], [9, 12, 0.69]])
    second = line("tobe", 0.5, words=[[0, 4, 0.2]])
    assert shown(first, second) == [[("to ", 0), ("bc", 1), (" or ", 0), ("not", 2)], [("tobe", 3)]]


def test_marks_alone_are_not_doubtful() -> None:
    assert shown(line("a —", 0.9, words=[[0, 1, 0.9], [2, 3, 0.1]])) == [[("a —", 0)]]


def test_a_line_whose_words_are_not_known_is_marked_as_a_whole() -> None:
    lines = line("two words", 0.75), line("two words", 0.75, words=None), line("good", 0.8), line("layer", None)
    assert shown(*lines) == [[("two words", 1)], [("two words", 2)], [("good", 0)], [("layer", 0)]]


def test_a_doubtful_word_has_its_part_of_the_box_of_the_line() -> None:
    _, part = parts_of({"lines": [line("mm mm", 0.9, words=[[0, 2, 0.9], [3, 5, 0.4]])]})[0]
    assert part.box is not None
    (left, top), (right, _), *_ = part.box
    assert (50 < left < 60, top, right) == (True, 0, 100)


def test_a_line_with_blanks_around_it_has_its_whole_box() -> None:
    _, part, _ = parts_of({"lines": [line(" mm ", 0.9, words=[[1, 3, 0.4]])]})[0]
    assert part.box == tuple(map(tuple, box(0, 0, 100, 20)))
