"""Text layers whose text runs to the left, as MuPDF gives their characters."""

import re
import unicodedata
from types import SimpleNamespace

import pytest
from bidi import get_display

from ocrqueue.documents.pdf.leftwards import turn_ligatures
from ocrqueue.documents.pdf.text import _runs

WIDTH = 5.0


def chars(*placed):
    """Characters: (text, left), with a width; (text, left, 0.0) without."""
    return [
        {"c": c, "bbox": (x, 0.0, x + (width[0] if width else WIDTH), 10.0), "origin": (x, 8.0)}
        for c, x, *width in placed
    ]


ALL_VISIBLE = SimpleNamespace(shown=lambda line: [span["text"] for span in line["spans"]])  # as `VisibleText`


def text_of(found, *others):
    (text, words), *_ = texts_of(found, *others)
    return text, words


def texts_of(*lines):
    """Text and words of each line of a page."""
    return [(run.text, list(run.words)) for run in _runs(list(map(line_of, lines)), ALL_VISIBLE)]


def line_of(found):
    span = {"chars": found, "size": 10.0, "font": "f", "ascender": 0.8, "descender": -0.2}
    span["text"] = "".join(char["c"] for char in found)
    return {"spans": [span], "wmode": 0, "dir": (1.0, 0.0)}


def test_a_full_stop_at_the_left_ends_the_line():
    assert text_of(chars((".", 80), ("ש", 95), ("ל", 90), ("ו", 85))) == ("שלו.", ["שלו."])


def test_a_mark_at_the_right_begins_the_line():
    assert text_of(chars(("-", 100), (" ", 97), ("ש", 92), ("ל", 87))) == ("- של", ["-", "של"])


def test_a_mark_before_a_line_that_runs_to_the_right_stays():
    assert text_of(chars((".", 80), ("a", 85), ("b", 90))) == (".ab", [".ab"])


def test_the_letters_of_a_ligature_are_in_order():
    line = chars(("ا", 20), ("أ", 20, 0.0), ("ل", 15), ("و", 10))
    turn_ligatures(line)
    assert "".join(char["c"] for char in line) == "الأو"


def test_letters_with_a_width_stay_in_their_order():
    line = chars(("أ", 20), ("ل", 15), ("ف", 10))
    turn_ligatures(line)
    assert "".join(char["c"] for char in line) == "ألف"


def as_mupdf_gives(text, base):
    """The characters of a line that a program printed from left to right: MuPDF turns what runs to the left."""
    visual = get_display(text, base_dir=base)
    placed = [(char, WIDTH * index) for index, char in enumerate(visual)]
    found = []
    end = 0
    for run in re.finditer(r"[\u0590-\u06ff](?:[^A-Za-z0-9]*[\u0590-\u06ff])?", visual):
        found += placed[end : run.start()] + placed[run.start() : run.end()][::-1]
        end = run.end()
    return chars(*found, *placed[end:])


@pytest.mark.parametrize(
    "text",
    [
        "עמוד 5 מתוך 10", "המחיר הוא 1,250 שקלים", "חברת Google הודיעה על Chrome OS היום.",
        "בתאריך 31.12.2024 בשעה 14:30", "השם שלו הוא Google", "2024 שנה", "טלפון 03-1234567, שלוחה 12",
        "السعر ١٢٥٠ ريال", "تاريخ ٢٠٢٤/٠٣/١٥ هو", "صفحة 5 من 10",
    ],
)  # fmt: skip
def test_numbers_and_latin_words_stand_where_they_are_read(text):
    assert text_of(as_mupdf_gives(text, "R"))[0] == text


@pytest.mark.parametrize("text", ["Figure ٣٤٥ in Arabic digits", "The word שלום means peace"])
def test_lines_that_run_to_the_right_keep_their_order(text):
    assert text_of(as_mupdf_gives(text, "L"))[0] == text


def test_a_line_that_is_in_order_stays_so():
    text = "עמוד 5 מתוך 10"
    visual = get_display(text, base_dir="R")
    found = [(char, WIDTH * visual.index(char)) for char in text if char != " "]
    assert text_of(chars(*found))[0].replace(" ", "") == text.replace(" ", "")


@pytest.mark.parametrize("text", ["ש\u05b8לום לכולם וכן הלאה", "שלום לכולם re\u0301sume\u0301 וכן הלאה"])
def test_marks_stay_with_their_letters(text):
    assert text_of(as_mupdf_gives(text, "R"))[0] == unicodedata.normalize("NFC", text)


def test_the_page_decides_where_a_line_has_few_letters_of_its_script():
    text, other = "שם: John Smith", "שורה רגילה בלי מספרים בכלל"
    assert text_of(as_mupdf_gives(text, "R"), as_mupdf_gives(other, "R"))[0] == text
    assert text_of(as_mupdf_gives(text, "R"))[0] == "John Smith : שם"
