"""HTML and scripts in an answer stay text in every format that escapes, and are not made by the parsers."""

import io

import pytest

from ocrqueue.formats import write
from ocrqueue.states import FormatName
from ocrqueue.storage.results import PageFacts, page_result, result_header
from tests.support.markup import parse

SCRIPT = "<script>alert(1)</script>"
ANSWERS = {
    "text": SCRIPT,
    "markdown": f"# {SCRIPT}\n\n<table><tr><td>{SCRIPT}</td></tr></table>",
    "olmocr": f"---\nprimary_language: en\n---\n{SCRIPT}",
    "grounded": f"<|det|>text [1, 2, 30, 40]<|/det|>{SCRIPT}",
    "dots": f'[{{"bbox": [1, 2, 30, 40], "category": "Text", "text": "{SCRIPT}"}}]',
    "nemotron": f"<x_0.1><y_0.1>\\begin{{tabular}}{{l}}{SCRIPT}\\end{{tabular}}<x_0.9><y_0.2><class_Table>",
    "florence": SCRIPT + "<loc_1><loc_1><loc_90><loc_1><loc_90><loc_90><loc_1><loc_90>",
    "spotting": f"{SCRIPT}(1,2),(30,40)",
    "doctags": f"<text><loc_1><loc_2><loc_30><loc_40>{SCRIPT}</text>",
}


@pytest.mark.parametrize("format_name", [FormatName.HOCR, FormatName.ALTO])
@pytest.mark.parametrize("kind", ANSWERS)
def test_scripts_are_escaped(kind, format_name):
    page = parse(kind, ANSWERS[kind])
    assert SCRIPT in page.plain
    counts = {"ok": 1, "failed": 0, "cancelled": 0}
    header = result_header(job="j", state="completed", source={"name": "a"}, options={}, counts=counts, seconds=1)
    stream = io.StringIO()
    write(format_name, [page_result(1, page, PageFacts(width=1000, height=2000, dpi=150))], header, stream)
    assert "<script" not in stream.getvalue()
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in stream.getvalue()


def test_tables_that_the_parsers_write_are_escaped():
    otsl = f"<fcel>{SCRIPT}<lcel><nl><fcel>a<fcel>b<nl>"
    for page in (parse("nemotron", ANSWERS["nemotron"]), parse("text", otsl)):
        assert "<td" in (page.markdown or "")
        assert "<script" not in (page.markdown or "")
