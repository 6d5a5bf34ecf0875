"""The library PyMuPDF, without its layout models. All code of the project imports PyMuPDF from here.

PyMuPDF 2 imports `pymupdf.layout` and `pymupdf4llm` when it is itself imported: 1 s of CPU time, 100 MB and six threads
for a process that only counts or renders pages. Both are hidden from that import, so it costs what it did before. The
models are loaded by `ocrqueue.structure`, where a page's structure is asked for.
"""

import sys

_LEFT_OUT = ("pymupdf.layout", "pymupdf4llm")


def _import_alone() -> None:
    """Import PyMuPDF while these modules cannot be imported. Does nothing if it is loaded already."""
    if "pymupdf" in sys.modules:
        return
    hidden = {name: None for name in _LEFT_OUT if name not in sys.modules}
    sys.modules.update(hidden)  # type: ignore[arg-type]  # None: an import raises ImportError, which PyMuPDF expects
    try:
        import pymupdf  # noqa: F401
    finally:
        for name in hidden:
            del sys.modules[name]


_import_alone()

import pymupdf  # noqa: E402
from pymupdf import extra, mupdf  # noqa: E402

__all__ = ["extra", "mupdf", "pymupdf"]

pymupdf.TOOLS.mupdf_display_errors(False)
pymupdf.TOOLS.mupdf_display_warnings(False)
pymupdf.set_messages(pylogging=True, pylogging_name="pymupdf", pylogging_level=10)  # it would write to stdout
