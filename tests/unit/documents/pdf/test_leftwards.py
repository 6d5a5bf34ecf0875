"""Text layers whose text runs to the left, as MuPDF gives their characters."""

from types import SimpleNamespace

from ocrqueue.documents.pdf.text import _runs, _turn_ligatures

WIDTH = 5.0


def chars(*placed):
    """Characters: (text, left), with a width; (text, left, 0.0) without."""
    return [
        {"c": c, "bbox": (x, 0.0, x + (width[0] if width else WIDTH), 10.0), "origin": (x, 8.0)}
        for c, x, *width in placed
    ]


ALL_VISIBLE = SimpleNamespace(shown=lambda line: [span["text"] for span in line["spans"]])  # as `VisibleText`


def text_of(found):
    span = {"chars": found, "size": 10.0, "font": "f", "ascender": 0.8, "descender": -0.2}
    span["text"] = "".join(char["c"] for char in found)
    line = {"spans": [span], "wmode": 0, "dir": (1.0, 0.0)}
    (run,) = _runs([line], ALL_VISIBLE)
    return run.text, list(run.words)


def test_a_full_stop_at_the_left_ends_the_line():
    assert text_of(chars((".", 80), ("ש", 95), ("ל", 90), ("ו", 85))) == ("שלו.", ["שלו."])


def test_a_mark_at_the_right_begins_the_line():
    assert text_of(chars(("-", 100), (" ", 97), ("ש", 92), ("ל", 87))) == ("- של", ["-", "של"])


def test_a_mark_before_a_line_that_runs_to_the_right_stays():
    assert text_of(chars((".", 80), ("a", 85), ("b", 90))) == (".ab", [".ab"])


def test_the_letters_of_a_ligature_are_in_order():
    line = chars(("ا", 20), ("أ", 20, 0.0), ("ل", 15), ("و", 10))
    _turn_ligatures(line)
    assert "".join(char["c"] for char in line) == "الأو"


def test_letters_with_a_width_stay_in_their_order():
    line = chars(("أ", 20), ("ل", 15), ("ف", 10))
    _turn_ligatures(line)
    assert "".join(char["c"] for char in line) == "ألف"
