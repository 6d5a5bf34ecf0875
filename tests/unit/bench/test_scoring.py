"""Scores: the differences between two texts that count as errors, and those that do not."""

import pytest

from bench.support.scoring import cer, fold, word_f1


@pytest.mark.parametrize(
    ("read", "truth", "lang"),
    [
        ("ﬁne ½", "fine 1⁄2", "en"),  # NFKC
        ("“so” – he said, ‘no’", "\"so\" - he said, 'no'", "en"),
        ("exam-\nple", "example", "en"),
        ("Men‐\n  ſchen", "Menschen", "de-Fraktur"),
        ("A-\n\f\nB", "AB", "en"),  # a word that continues on the next page
        ("Aufkla\u0364rung", "Aufklärung", "de-Fraktur"),
        ("soft\u00adly", "softly", "en"),
        ("a  b\n\f\nc", "a b c", "en"),
        ("你 好\n吗", "你好吗", "zh_CN"),
        ("xin chào", "xinchào", "vi"),
    ],
)
def test_differences_of_convention_are_folded(read: str, truth: str, lang: str) -> None:
    assert fold(read, lang) == fold(truth, lang)
    assert cer(read, truth, lang) == 0
    assert word_f1(read, truth, lang) == 1


def test_real_differences_are_kept() -> None:
    assert fold("well-known") == "well-known"
    assert fold("1990 -\n2000") == "1990 - 2000"  # a dash, not a hyphen
    assert fold("Ab") != fold("AB")
    assert fold("Ab", ignore_case=True) == fold("AB", ignore_case=True)
    assert fold("a b", "ko") == "a b"
    assert fold("Aufkla\u0364rung", "de") != fold("Aufklärung", "de")


def test_cer_is_the_number_of_edits_per_character_of_the_truth() -> None:
    assert cer("kitten", "sitting") == pytest.approx(3 / 7)
    assert cer("", "four") == 1
    assert cer("fourfour!", "four") == pytest.approx(5 / 4)
    assert cer("", "") == 0
    assert cer("x", "") == 1


def test_cer_without_order_compares_bags_of_characters() -> None:
    assert cer("two one", "one two", in_order=False) == 0
    assert cer("two one", "one two") > 0
    assert cer("abcx", "abcd", in_order=False) == pytest.approx(1 / 4)
    assert cer("ab", "abcd", in_order=False) == pytest.approx(2 / 4)


def test_word_f1_compares_bags_of_words() -> None:
    assert word_f1("b a", "a b") == 1
    assert word_f1("a a b", "a b c") == pytest.approx(2 * 2 / 6)
    assert word_f1("", "a") == 0
    assert word_f1("", "") == 1


def test_words_of_chinese_are_characters() -> None:
    assert word_f1("你好", "你 坏", "zh") == pytest.approx(0.5)
    assert word_f1("你好", "你坏", "ko") == 0


def test_case_is_ignored_on_request() -> None:
    assert word_f1("Total", "TOTAL") == 0
    assert word_f1("Total", "TOTAL", ignore_case=True) == 1
    assert cer("Total", "TOTAL", ignore_case=True) == 0
