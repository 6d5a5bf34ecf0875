"""Output that repeats itself without end is detected; repetitions of real pages are not."""

import random
import re

import pytest

from ocrqueue.engines.mlx.runaway import Loop, RunawayGuard, numbered_loop


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


def test_a_loop_begins_at_the_first_phrase():
    guard = RunawayGuard()
    for token in [1, 2, 3, 9, *[7, 8, 9] * 60]:
        guard.is_runaway(token)
    assert guard.loop() == Loop(3, 6), "9 stands before the first 7, so the phrase is 9 7 8"


def test_a_page_without_repetition_has_no_loop():
    guard = RunawayGuard()
    assert not any(map(guard.is_runaway, range(500)))
    assert guard.loop() is None


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


def masked(text) -> str:
    return re.sub(r"\d+", "0", text)


def rows(count, row) -> str:
    return "".join(row(number) for number in range(1, count + 1))


@pytest.mark.parametrize(
    "row",
    [
        lambda n: f"{n}. ",
        lambda n: f"- {n}.\n",
        lambda n: f"{1 + n % 28:02}.{1 + n // 28:02}.2024\n",  # days; the month changes after 28 of them
        lambda n: f"<|det|>text [{50 + n % 2}, {20 * n}, 900, {20 * n + 18}]<|/det|>",
        lambda n: f"<x_0.1><y_{n * 0.004:.4f}>a<x_0.9><y_{n * 0.004 + 0.0031:.4f}><class_Text>",
        lambda n: f'{{"bbox": [10, {9 * n}, 500, {9 * n + 8}], "category": "Text", "text": "Total"}}, ',
    ],
    ids=["count", "list", "dates", "boxes", "decimals", "json"],
)
def test_a_phrase_whose_numbers_change_is_detected(row):
    before = "Chapter 1 has 12 pages.\n"
    assert numbered_loop(before + rows(115, row)) is None
    text = before + rows(260, row)
    loop = numbered_loop(text)
    assert loop is not None
    assert text[: loop.start].strip() == (before + row(1)[: re.search(r"\d", row(1)).start()]).strip()
    assert masked(text[loop.second :]).startswith(masked(text[loop.start : loop.second]))


@pytest.mark.parametrize(
    "text",
    [
        rows(180, lambda n: f"{n}. ________\n"),  # an answer sheet
        rows(101, lambda n: f"{n - 1} | {32 + 1.8 * (n - 1):.1f} | {272.15 + n:.2f}\n"),  # Celsius, Fahrenheit, Kelvin
        rows(400, lambda n: f"<tr><td>{n * 7919 % 1000}</td><td>{n * n * 31 % 977}</td></tr>"),  # a table of numbers
        rows(300, lambda n: f"{'abcdefgh'[n % 8]} {n}\n" + "and more " * (n % 3)),  # rows with different words
        rows(120, lambda n: f"Section {n // 5}.{n % 5} {'. ' * 40} {3 * n + n * n % 7}\n"),  # a table of contents
        rows(31, lambda n: " ".join(str(n + 7 * k) for k in range(12)) + "\n"),  # a calendar
    ],
    ids=["sheet", "degrees", "numbers", "words", "contents", "calendar"],
)
def test_numbers_on_real_pages_are_not_runaways(text):
    assert all(numbered_loop(text[:end]) is None for end in range(0, len(text) + 256, 256))
