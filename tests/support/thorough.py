"""Parametrised tests of which `make test` runs some values only."""

from collections.abc import Collection, Iterable

import pytest


def thorough_but(first: Collection[object] | int, values: Iterable[object]) -> list[object]:
    """The values for `parametrize`: those that are not in `first`, or come after so many, are marked as thorough."""
    found: list[object] = []
    for number, value in enumerate(values):
        is_quick = number < first if isinstance(first, int) else value in first
        several = value if isinstance(value, tuple) else (value,)
        found.append(value if is_quick else pytest.param(*several, marks=pytest.mark.thorough))
    return found
