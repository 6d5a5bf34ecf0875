"""When a page is stopped, and which part of its answer is kept."""

import pytest

from ocrqueue.engines.mlx.answer import Answer, Bounds, Stop

UNBOUND = Bounds(10_000, float("inf"), lambda: False)


def decode(tokens) -> str:
    """Tokens are code points; 0 is one that cannot be decoded."""
    return "".join(map(chr, tokens)) if 0 not in tokens else 1 // 0


def written(text: str, bounds: Bounds = UNBOUND) -> Answer:
    """The answer of a model that would write this text, until it is stopped."""
    answer = Answer(decode, bounds)
    for character in text:
        if answer.take(ord(character)):
            break
    return answer


def test_an_answer_that_ends_is_kept_as_it_is():
    answer = written("Dear Sir,\n")
    assert (answer.stopped, answer.text()) == (None, "Dear Sir,\n")


def test_a_page_at_the_limit_keeps_its_text():
    answer = written("Dear Sir, how", Bounds(8, float("inf"), lambda: False))
    assert (answer.stopped, answer.text()) == (Stop.LENGTH, "Dear Sir")


@pytest.mark.parametrize("after", ["", " and more", " and more" * 100])
def test_a_stop_string_ends_a_page(after):
    bounds = Bounds(10_000, float("inf"), lambda: False, ("</doctag>", "<end>"))
    answer = written("<doctag><text>A</text></doctag>" + after, bounds)
    assert (answer.stopped, answer.text()) == (None, "<doctag><text>A</text>")
    assert len(answer.tokens) < 40


def test_text_after_a_stop_string_is_no_repetition():
    bounds = Bounds(10_000, float("inf"), lambda: False, ("</doctag>",))
    assert written("A</doctag>" + "no" * 1000, bounds).stopped is None


def test_a_repetition_is_kept_once():
    answer = written("Dear Sir,\n" + "yes, " * 1000)
    assert (answer.stopped, answer.text()) == (Stop.RUNAWAY, "Dear Sir,\nyes, ")


def test_a_repetition_with_changing_numbers_is_kept_once():
    answer = written("Dear Sir,\n" + "".join(f"- {n}.\n" for n in range(1, 2000)))
    assert (answer.stopped, answer.text()) == (Stop.RUNAWAY, "Dear Sir,\n- 1.\n- ")
    assert len(answer.tokens) < 1700


@pytest.mark.parametrize("text", ["yes, " * 1000, "  \n" + "yes, " * 1000, " ".join(map(str, range(1000)))])
def test_nothing_is_kept_of_an_answer_that_is_nothing_but_repetition(text):
    answer = written(text)
    assert (answer.stopped, answer.text()) == (Stop.RUNAWAY, "")


def test_a_repetition_at_the_limit_is_a_repetition():
    numbers = "".join(f"{n}\n" for n in range(1, 230))
    answer = written("A\n" + numbers, Bounds(len(numbers), float("inf"), lambda: False))
    assert (answer.stopped, answer.text()) == (Stop.RUNAWAY, "A\n1\n")
