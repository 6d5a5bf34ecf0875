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
    "pages": [READ, FAILED],
}
