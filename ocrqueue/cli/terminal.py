"""Makes text of unknown origin safe to show on a terminal."""

import re

_UNSAFE = re.compile(r"[\x00-\x08\x0b\x0d-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def for_terminal(text: str) -> str:
    r"""Remove control characters (escape sequences begin with one) except \n and \t, and changes of direction.

    A form feed becomes a newline, and a lone surrogate, which cannot be encoded, becomes U+FFFD.
    """
    return re.sub(r"[\ud800-\udfff]", "\ufffd", _UNSAFE.sub("", text).replace("\f", "\n"))
