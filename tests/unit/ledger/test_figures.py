"""Speed and remaining time, from figures and live workers."""

import pytest

from ocrqueue.ledger import figures
from ocrqueue.ledger.figures import Minute, page_speed, seconds_left
from ocrqueue.ledger.workers import Worker

FAST, SLOW = "rapidocr", "mlx-vlm"


def worker(children: int, *engines: str) -> Worker:
    return Worker("w", "host", 1, "0.1.0", tuple(f"pages.{e}" for e in engines), {e: {} for e in engines}, children)


def test_the_speed_is_the_mean_of_all_pages_of_an_engine() -> None:
    minutes = [Minute(1, FAST, 9, 9.0), Minute(2, FAST, 1, 11.0), Minute(2, SLOW, 2, 60.0), Minute(3, SLOW, 0, 5.0)]
    assert page_speed(minutes) == {FAST: 2.0, SLOW: 32.5}
    assert page_speed([Minute(1, FAST, 0, 4.0)]) == {}


@pytest.mark.parametrize(
    ("pages", "workers", "expected"),
    [
        ({}, [], 0.0),
        ({(FAST, "low"): 0}, [], 0.0),
        ({(FAST, "low"): 10, (FAST, "high"): 20}, [worker(2, FAST)], 30.0),
        ({(FAST, "low"): 10}, [worker(2, FAST), worker(3, FAST)], 4.0),
        ({(FAST, "low"): 10}, [worker(2, SLOW)], None),  # nobody reads these pages
        ({(FAST, "low"): 10, (SLOW, "low"): 1}, [worker(1, FAST), worker(1, SLOW)], 30.0),  # side by side
        ({(FAST, "low"): 10, (SLOW, "low"): 1}, [worker(1, FAST, SLOW)], 50.0),  # one child for both
        ({(figures.UNKNOWN, "low"): 10}, [worker(1, FAST), worker(2, SLOW)], 100.0),  # as the slowest, by all children
        ({(figures.UNKNOWN, "low"): 10}, [worker(2)], None),  # it only opens documents
        ({("new", "low"): 2}, [worker(1, "new")], 60.0),  # an engine that has read nothing yet
    ],
)
def test_the_time_for_the_open_pages(
    pages: dict[tuple[str, ...], int], workers: list[Worker], expected: float | None
) -> None:
    assert seconds_left(pages, {FAST: 2.0, SLOW: 30.0}, workers) == expected


def test_without_a_speed_there_is_no_time() -> None:
    assert seconds_left({(FAST, "low"): 1}, {}, [worker(1, FAST)]) is None
