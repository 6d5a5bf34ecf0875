"""A result of two pages, one of them failed, as the API's converters get it."""


def box(left, top, right, bottom):
    return [[left, top], [right, top], [right, bottom], [left, bottom]]


def line(text, *place, confidence=0.9):
    return {"text": text, "box": box(*place), "confidence": confidence, "origin": "ocr"}


LINES = [line("Annual report", 10, 10, 200, 30), line("The year was", 10, 60, 180, 80), line("good.", 10, 90, 60, 110)]
READ = {
    "page": 1,
    "state": "ok",
    "origin": "ocr",
    "width": 400,
    "height": 600,
    "dpi": 150,
    "confidence": 0.9,
    "text": "Annual report\n\nThe year was\ngood.",
    "markdown": "# Annual report\n\nThe year was good.",
    "lines": LINES,
    "error": None,
}
FAILED = {
    **dict.fromkeys(READ),
    "page": 2,
    "state": "failed",
    "text": "",
    "markdown": "",
    "lines": [],
    "error": {"code": "timeout", "message": "it took too long"},
}
RESULT = {
    "job": "9d6b3bb6-0d7e-4f5a-9c6e-0d1b6c1f2a3b",
    "state": "partial",
    "source": {"name": "report.pdf", "sha256": "0" * 64, "bytes": 1234, "pages": 2},
    "options": {},
    "pages": [READ, FAILED],
}


def block(kind, text, *place, **more):
    return {"kind": kind, "box": box(*place), "lines": [], "text": text, **more}


def cell(row, column, text, span=1, header=False):
    return {
        "row": row, "column": column, "row_span": 1, "column_span": span, "header": header, "text": text, "box": None,
    }  # fmt: skip


WITH_BLOCKS = {
    **READ,
    "blocks": [
        block("heading", "Annual report", 10, 10, 200, 30, level=1),
        block("list_item", "first", 10, 40, 200, 50, depth=1, marker="•"),
        block("list_item", "second", 10, 50, 200, 60, depth=1, marker="•"),
        block(
            "table", "Sales\n12\t13", 10, 70, 200, 90,
            cells=[cell(0, 0, "Sales", 2, header=True), cell(1, 0, "12"), cell(1, 1, "13")],
        ),
        block("page_footer", "3", 100, 580, 110, 590),
    ],
}  # fmt: skip
