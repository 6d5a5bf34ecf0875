"""The bytes that hold the qualities of a job's pages."""

import pytest

from ocrqueue.ledger.qualities import AT_ONCE, field_of, fields_of, percent, quality_of


def test_a_page_has_its_place_in_a_field() -> None:
    assert [field_of(index) for index in (1, AT_ONCE, AT_ONCE + 1)] == ["q0", "q0", "q1"]
    assert fields_of([1, 2, AT_ONCE + 1, 3]) == ["q0", "q1"]


@pytest.mark.parametrize(("index", "quality"), [(1, 0.0), (2, 1.0), (3, None), (4, None), (AT_ONCE + 1, None)])
def test_a_byte_is_a_quality(index: int, quality: float | None) -> None:
    assert quality_of(index, {"q0": "\x01e\x00", "q1": None}) == quality


@pytest.mark.parametrize(("quality", "expected"), [(None, -1), (0.0, 0), (0.295, 30), (1.0, 100)])
def test_a_quality_is_sent_in_percent(quality: float | None, expected: int) -> None:
    assert percent(quality) == pytest.approx(expected, abs=1)
