"""Pauses of garbage collections."""

import gc

import pytest

from ocrqueue.process.garbage import uncollected


@uncollected()
def is_collected() -> bool:
    return gc.isenabled()


def test_nothing_is_collected_inside() -> None:
    assert not is_collected()
    assert gc.isenabled()
    with pytest.raises(ValueError, match="a fault"), uncollected():
        raise ValueError("a fault")
    assert gc.isenabled()


def test_collections_that_were_off_stay_off() -> None:
    gc.disable()
    try:
        with uncollected():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()
