"""The tries of a page, what is kept of them, and boxes of a page that was turned."""

import pytest
from PIL import Image

from ocrqueue.engines.mlx.answer import Answer, Bounds, Stop
from ocrqueue.engines.mlx.reading import Text, best_of, samplings, turned_back
from ocrqueue.engines.mlx.recipes import NgramBlock, Recipe
from ocrqueue.errors import PageError
from ocrqueue.pages import Line, PageText


def answer(text: str, stopped: Stop | None = None) -> Answer:
    """An answer whose text is kept as it is, unless the model repeats itself: then only the first line is."""
    tokens = [ord(c) for c in text]
    made = Answer(lambda given: "".join(map(chr, given)), Bounds(10_000, float("inf"), lambda: False))
    for token in tokens + [ord("\n")] * 300 * (stopped == Stop.RUNAWAY):
        made.take(token)
    made.stopped = stopped
    return made


def outcome(*results: Answer | Exception) -> tuple[str, str | None]:
    """The text and the code of the warning, or the code of the error, after these tries; and whether all were made."""
    made = iter(results[1:])
    found = best_of(results[0], (lambda r=result: r for result in made))
    assert list(made) == [], "not all tries were made"
    if isinstance(found, PageError):
        return "", found.code
    return found.content.rstrip("\n"), found.warning and found.warning.code


def test_a_page_that_ends_is_read_once():
    assert outcome(answer("A")) == ("A", None)
    assert outcome(answer("")) == ("", None)


def test_a_page_at_the_limit_on_tokens_is_read_once():
    assert outcome(answer("A", Stop.LENGTH)) == ("A", "cut_off")


def test_a_page_that_repeats_itself_is_read_again():
    assert outcome(answer("A", Stop.RUNAWAY), answer("ABC")) == ("ABC", None)
    assert outcome(answer("A", Stop.RUNAWAY), answer("ABC", Stop.LENGTH)) == ("ABC", "cut_off")


def test_the_longest_text_is_kept_if_every_try_repeats_itself():
    tries = [answer(text, Stop.RUNAWAY) for text in ("A", "ABC", "AB")]
    assert outcome(*tries) == ("ABC", "repetition")
    assert isinstance(found := best_of(tries[0], []), Text)
    assert found.warning is not None
    assert "repeated itself endlessly, 1 time:" in found.warning.message


@pytest.mark.parametrize("last", [answer("B", Stop.TIMEOUT), ValueError("no memory")])
def test_text_is_kept_if_a_later_try_fails(last):
    assert outcome(answer("A", Stop.RUNAWAY), last) == ("A", "repetition")


def test_a_page_of_repetitions_has_an_error():
    assert outcome(answer("", Stop.RUNAWAY), answer("", Stop.RUNAWAY)) == ("", "degenerate_output")
    assert outcome(answer("", Stop.RUNAWAY), answer("B", Stop.TIMEOUT)) == ("", "timeout")


@pytest.mark.parametrize(
    ("first", "code"),
    [
        (answer("A", Stop.CANCELLED), "cancelled"),
        (answer("A", Stop.TIMEOUT), "timeout"),
        (ValueError("a\nb"), "engine_error"),
    ],
)
def test_a_page_that_failed_has_an_error(first, code):
    assert outcome(first) == ("", code)


def test_a_cancelled_page_keeps_nothing():
    assert outcome(answer("A", Stop.RUNAWAY), answer("B", Stop.CANCELLED)) == ("", "cancelled")


def test_the_tries_follow_the_recipe():
    block = NgramBlock(20, 90)
    recipe = Recipe("", temperatures=(0.1, 0.5), top_p=0.9, top_k=1, repetition_penalty=1.1, ngram=block)
    first, second = samplings(recipe)
    assert (first.temperature, first.top_k, first.seed) == (0.1, 1, 0)
    assert (second.temperature, second.top_k, second.seed) == (0.5, 0, 1)
    assert {(one.top_p, one.repetition_penalty, one.ngram) for one in (first, second)} == {(0.9, 1.1, block)}


@pytest.mark.parametrize("turn", [90, 180, 270])
def test_boxes_of_a_turned_page_are_on_the_page_as_it_was(turn):
    page = Image.new("L", (200, 100), 255)
    page.paste(0, (20, 10, 60, 30))
    left, top, right, bottom = page.rotate(-turn, expand=True).point(lambda value: 255 - value).getbbox()
    line = Line("A", ((left, top), (right, top), (right, bottom), (left, bottom)))
    (found,) = turned_back(PageText([line], "A"), turn, page.size).lines
    xs, ys = zip(*found.box, strict=True)
    assert (min(xs), min(ys), max(xs), max(ys)) == (20, 10, 60, 30)
    corners = [(20, 10), (60, 10), (60, 30), (20, 30)]
    first = {90: 3, 180: 2, 270: 1}[turn]  # the corner that is at the top left of the turned page
    assert list(found.box) == corners[first:] + corners[:first]
