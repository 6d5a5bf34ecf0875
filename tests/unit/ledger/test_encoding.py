"""Names of documents are one line that is safe to show, wherever they come from."""

import pytest

from ocrqueue.ledger import Source
from ocrqueue.ledger.encoding import shown_name
from ocrqueue.steps.accept import parse_source


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("scan.pdf", "scan.pdf"),
        ("\x1b[31mred\x1b[0m.pdf", "[31mred[0m.pdf"),
        ("\x9b31mred", "31mred"),
        ("two\r\nlines\u2028.pdf", "twolines.pdf"),
        ("exe\u202efdp.pdf", "exefdp.pdf"),
        ("\udce9t\u00e9.pdf", "?t\u00e9.pdf"),
        ("\x07 ", "document"),
        ("x" * 2_000_000 + ".pdf", "x" * 234 + "…" + "x" * 16 + ".pdf"),
        ("スキャン\u30001 \U0001f468\u200d\U0001f469.pdf", "スキャン\u30001 \U0001f468\u200d\U0001f469.pdf"),
    ],
)
def test_a_name_is_safe_to_show(given: str, shown: str) -> None:
    assert shown_name(given) == Source(given).name == shown


def test_the_name_of_a_plain_message_is_one_too() -> None:
    assert parse_source({"path": "/scans/\x1b[2Ja.pdf"}).name == "[2Ja.pdf"
