"""Spaces that are missing in a text layer."""

import numpy as np

from ocrqueue.documents.pdf.gaps import gaps_of, missing_spaces

SIZE = 10.0


def line(*words, gap, spacing=0.0, width=5.0):
    """The letters of words whose gap is so many font sizes, with their left sides.

    Letters of a word are `spacing` font sizes apart.
    """
    letters, x = [], 0.0
    for word in words:
        for text in word:
            letters.append((text, x))
            x += width + spacing * SIZE
        x += (gap - spacing) * SIZE
    return letters


def spaced(letters, width=5.0):
    text = "".join(char for char, _ in letters)
    sides = np.array([(x, 0.0, x + width, SIZE) for _, x in letters]).reshape(-1, 4)
    found = missing_spaces(text, gaps_of(text, np.full(len(text), SIZE), sides))
    return "".join(f" {letter}" if index in found else letter for index, letter in enumerate(text))


def test_a_gap_between_letters_is_a_space():
    assert spaced(line("sử", "dụng", "nó", gap=0.3)) == "sử dụng nó"
    assert spaced(line("one", "two", gap=0.1)) == "onetwo"  # may be kerning


def test_tightly_set_words_that_would_be_one_long_word_are_parted():
    assert spaced(line("Table", "1.", "Monthly", "means", "(all)", gap=0.1)) == "Table 1. Monthly means (all)"
    assert spaced(line("Donaudampfschifffahrt", "s", gap=0.1)) == "Donaudampfschifffahrts"  # one gap says little
    assert spaced(line("f", "eatured", "words", gap=0.1)) == "featuredwords"


def test_widely_set_letters_are_no_words():
    assert spaced(line("Chapter", gap=0.0, spacing=0.14)) == "Chapter"
    assert spaced(line("Chapter", "one", gap=0.4, spacing=0.14)) == "Chapter one"


def test_letters_that_run_to_the_left_have_their_gaps_at_the_left():
    words = [(char, -x) for char, x in line("שלום", "רב", gap=0.0)]
    assert spaced(words) == "שלוםרב"
    number = [*zip("שלום", (95, 90, 85, 80), strict=True), ("1", 40), ("2", 45)]
    assert spaced(number) == "שלום 12"


def test_what_is_no_letter_is_left_alone():
    assert spaced(line("a", "+", ".", ".", gap=0.3)) == "a+.."
    assert spaced(line("日本", "語の", gap=0.3)) == "日本語の"
    assert spaced(line("a", " ", "b", gap=0.3)) == "a b"
    assert spaced([]) == ""
