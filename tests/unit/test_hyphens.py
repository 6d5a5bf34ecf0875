"""Hyphens at the ends of lines: of divided words, and of compounds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocrqueue.hyphens import Words, join_lines

FILL = ["the quick brown fox jumps over the lazy dog and runs on"] * 20


def words(*lines):
    known = Words()
    known.add(lines)
    return known


@pytest.mark.parametrize(
    ("first", "second", "joined"),
    [
        ("the child-", "ren slept", "the children slept"),
        ("the child\u2010", "ren slept", "the children slept"),
        ("die Versamm\u00ad", "lung tagt", "die Versammlung tagt"),
        ("INFOR-", "MATION", "INFORMATION"),
        ("said Jean-", "Pierre", "said Jean-Pierre"),
        ("COVID-", "19", "COVID-19"),
        ("a 64-", "bit word", "a 64-bit word"),
        ("die UNO-", "mandatierte Truppe", "die UNO-mandatierte Truppe"),
        ("Vor-", "und Nachteile", "Vor- und Nachteile"),
        ("pre-", "and post-war", "pre- and post-war"),
        ("1990 -", "2000", "1990 - 2000"),
        ("see www.example.org/two-", "parts", "see www.example.org/two-parts"),
        ("我是", "学生", "我是学生"),
        ("한국어", "문장", "한국어 문장"),
        ("", "alone", "alone"),
    ],
)
def test_what_the_two_lines_alone_say(first, second, joined):
    assert join_lines([first, second]) == joined


def test_the_same_word_elsewhere_decides():
    lines = ["It is well-", "known that", "child-", "ren play"]
    assert join_lines(lines) == "It is wellknown that children play"
    assert join_lines(lines, words(*lines, *FILL, "a well-known place")) == "It is well-known that children play"
    assert join_lines(["a well-", "known"], words("Well-known once", "wellknown, wellknown")) == "a wellknown"


def test_a_text_that_divides_no_words_keeps_its_compounds():
    rows = [*FILL, "a hand-made and half-timbered, then long-lost thing"] * 3
    undivided = [*rows, "this is state-", "owned land"]
    assert join_lines(["state-", "owned"], words(*undivided)) == "state-owned"
    divided = [*undivided, *["they went some-", "where and found noth-", "ing there"] * 10]
    assert join_lines(["state-", "owned"], words(*divided)) == "stateowned"


def test_parts_of_a_divided_word_are_not_words():
    known = words("it is in-", "formed, and in-form", "well-", "being, or well-being")
    assert known.divided("in", "formed")  # of which nothing was seen, since neither line has it whole
    assert not known.divided("in", "form")
    assert not known.divided("well", "being")


@given(st.lists(st.text("aB1-\u00ad\u2010⸗ é我\n", max_size=12)))
def test_nothing_but_hyphens_and_white_space_changes(lines):
    def bare(text):
        return "".join(c for c in text if c not in "-\u00ad\u2010⸗" and not c.isspace())

    assert bare(join_lines(lines, words(*lines))) == bare("".join(lines))
