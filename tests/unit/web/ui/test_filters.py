"""How the web UI writes times and sizes."""

import pytest

from ocrqueue.web.ui.filters import filters


@pytest.mark.parametrize(("mark", "seconds", "size"), [(".", "4.2 s", "1.5 GB"), (",", "4,2 s", "1,5 GB")])
def test_the_decimal_mark_is_that_of_the_language(mark: str, seconds: str, size: str) -> None:
    own = filters(mark)
    assert own["duration"](4.21) == seconds
    assert own["duration"](12.4) == "12 s"
    assert own["duration"](7500.0) == "2 h 5 min"
    assert own["megabytes"](1_500_000_000) == size
    assert own["megabytes"](2_500_000) == "2 MB"
    assert own["number"](1234567) == "1\N{NARROW NO-BREAK SPACE}234\N{NARROW NO-BREAK SPACE}567"
