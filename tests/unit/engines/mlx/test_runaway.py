"""Output that repeats itself without end is detected; repetitions of real pages are not."""

import random

import pytest

from ocrqueue.engines.mlx.runaway import RunawayGuard


def stopped_at(tokens) -> int | None:
    guard = RunawayGuard()
    return next((n for n, token in enumerate(tokens, 1) if guard.is_runaway(token)), None)


@pytest.mark.parametrize(("length", "at_most"), [(1, 160), (3, 176), (20, 330), (100, 1060), (256, 2480)])
def test_an_endless_phrase_is_detected(length, at_most):
    phrase = random.Random(length).sample(range(10_000), length)
    before = list(range(50_000, 50_040))
    found = stopped_at(before + phrase * 400)
    assert found is not None
    assert 40 + 128 + 8 * length <= found <= at_most + 40


def test_the_period_is_the_length_of_the_phrase():
    guard = RunawayGuard()
    for token in [7, 8, 9] * 60:
        guard.is_runaway(token)
    assert guard.period() == 3


@pytest.mark.parametrize(
    "tokens",
    [
        list(range(5000)),  # nothing repeats
        [5] * 130,  # a long dotted line
        ([1, 2, 3, 4] * 30 + [9]) * 8,  # rows of empty cells, with something in between
        [t for row in range(400) for t in (1, row, 1, 2, 1)],  # a table whose rows differ in a number
    ],
)
def test_repetitions_on_real_pages_are_not_runaways(tokens):
    assert stopped_at(tokens) is None


def test_a_phrase_longer_than_256_tokens_is_not_detected():
    assert stopped_at(list(range(300)) * 20) is None
