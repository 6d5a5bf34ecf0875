"""JSON that a model wrote: whole, cut and malformed."""

import pytest

from ocrqueue.engines.mlx.markup.lenient_json import Record, read_records

KEYS = ("bbox", "text")


def read(answer):
    return [part for part in read_records(answer, KEYS) if part != ""]


def test_objects_and_the_text_around_them():
    assert read('Here: [{"text": "a", "bbox": [1, -2.5]}, {"text": null, "n": true}] end') == [
        "Here: [",
        Record({"text": ["a"], "bbox": ["1", "-2.5"]}),
        ",",
        Record({"text": [], "n": ["true"]}),
        "] end",
    ]


def test_inner_objects_come_first():
    assert read('{"text": "out", "b": {"text": "in"}}') == [
        Record({"text": ["in"]}),
        Record({"text": ["out"], "b": []}),
    ]


@pytest.mark.parametrize(
    ("string", "text"),
    [
        (r'"a\"b\\c\u00e4\n"', 'a"b\\cä\n'),
        (r'"\ud83d\ude00"', "😀"),
        (r'"\alpha \(x\)"', r"\alpha \(x\)"),
        (r'"\frac \beta"', r"\frac \beta"),
        ('"line\nbreak"', "line\nbreak"),
        ('"say "yes" now"', 'say "yes" now'),
        ('"', ""),
        ('"cut', "cut"),
        (r'"cut\u00', "cut"),
        ('"cut\\', "cut"),
        (r'"cut\alpha \u0', r"cut\alpha "),
        ("12.50", "12.50"),
        ("words without quotes", "words without quotes"),
    ],
)
def test_values(string, text):
    assert read('{"text": ' + string) == [Record({"text": [text]})]


def test_keys_that_are_cut_off_and_words_where_a_key_should_be():
    assert read('{"text": "a", "bb') == [Record({"text": ["a"]})]
    assert read('{"text": "a", "words he') == [Record({"text": ["a"]}, ["words he"])]
    assert read('{"not a key!": "a"}') == [Record({}, ["not a key!", "a"])]
