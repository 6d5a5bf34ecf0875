"""How templates write numbers, times and sizes. The units are the same in every language, the decimal mark is not."""

import math
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import Any

_UNITS = ((86_400, "d"), (3600, "h"), (60, "min"))


def duration(seconds: float | None, mark: str = ".") -> str:
    """A time span with two units at most, such as "4 s", "3 min" or "2 h 5 min"; a dash if it is not known."""
    if seconds is None or not math.isfinite(seconds):
        return "–"
    if seconds < 60:
        return f"{_decimal(max(0.0, seconds), 0 if seconds >= 10 or seconds == 0 else 1, mark)} s"
    for (size, name), (small, small_name) in zip(_UNITS, (*_UNITS[1:], (1, "s")), strict=True):
        if seconds >= size:
            rest = int(seconds % size // small)
            return f"{seconds // size:.0f} {name}" + (f" {rest} {small_name}" if rest and size > 60 else "")
    raise AssertionError("a minute is the smallest unit")


def ago(moment: float | None, mark: str = ".") -> str:
    """The time since a moment, in seconds since 1970, as `duration` writes it."""
    return "–" if moment is None else duration(max(0.0, time.time() - moment), mark)


def iso(moment: float) -> str:
    """A moment, in seconds since 1970, as ISO 8601 writes it, in UTC."""
    return f"{datetime.fromtimestamp(moment, UTC):%Y-%m-%dT%H:%M:%SZ}"


def megabytes(size: int | None, mark: str = ".") -> str:
    """A number of bytes in MB or GB; a dash if it is not known."""
    if size is None:
        return "–"
    return f"{_decimal(size / 1e9, 1, mark)} GB" if size >= 1e9 else f"{size / 1e6:.0f} MB"


def _decimal(value: float, places: int, mark: str) -> str:
    return f"{value:.{places}f}".replace(".", mark)


def number(value: int | None) -> str:
    """A whole number with thin spaces between groups of three digits; a dash if it is not known."""
    return "–" if value is None else f"{value:,}".replace(",", "\N{NARROW NO-BREAK SPACE}")


def percent(share: float | None) -> str:
    """A share of 0 to 1 in percent; a dash if it is not known."""
    return "–" if share is None else f"{100 * share:.0f} %"


def filters(mark: str) -> dict[str, Callable[..., Any]]:
    """The filters of templates by name, for a language with this decimal mark."""
    marked = {"duration": duration, "ago": ago, "megabytes": megabytes}
    return {name: partial(write, mark=mark) for name, write in marked.items()} | {
        "iso": iso,
        "number": number,
        "percent": percent,
    }
