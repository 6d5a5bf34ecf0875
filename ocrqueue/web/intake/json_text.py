"""Parses JSON that a client sent."""

import json
from typing import Any


def parsed(text: str | bytes) -> Any:
    r"""The value of a JSON text. Raises ValueError for any text that RFC 8259 does not allow everywhere.

    Such are an infinite number (1e999), half a surrogate pair ("\ud800"), which no UTF-8 can hold, and deep nesting.
    """
    try:
        value = json.loads(text)
        json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
    except RecursionError:
        raise ValueError("the JSON is nested too deeply") from None
    return value
