"""The fonts of a page stay as they were when the layout models measure its text.

PyMuPDF 2.0's `features` library counts the fonts of a page and joins those that are nearly equal. It never gives back
the references of those that it joined. So their fonts would stay in memory when the document is closed: 15 to 130 KB a
page.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any


def freeing_fonts(measure: Callable[[Any, Any], None]) -> Callable[[Any, Any], None]:
    """`pymupdf.layout`'s function `extract_rf_features(data, text_page)`, with the references that it keeps given back.

    It draws nothing, so no reference that is new after it belongs to a cache of MuPDF.
    """

    @wraps(measure)
    def measure_and_free(data: Any, text_page: Any) -> None:
        from ocrqueue.documents.pdf.mupdf import mupdf

        before = [(font, font.refs) for font in fonts_of(text_page)]
        try:
            measure(data, text_page)
        finally:
            for font, count in before:
                for _ in range(font.refs - count):
                    mupdf.ll_fz_drop_font(font)

    return measure_and_free


def fonts_of(text_page: Any) -> list[Any]:
    """The fonts of the characters of a `pymupdf.TextPage`, as MuPDF's `fz_font`."""
    from ocrqueue.documents.pdf.mupdf import mupdf

    fonts: dict[int, Any] = {}  # by address: each look makes another object of Python
    place = mupdf.ll_fz_stext_page_block_iterator_begin_dfs(text_page.this.m_internal)
    while not mupdf.ll_fz_stext_page_block_iterator_eod_dfs(place):
        if place.block.type == mupdf.FZ_STEXT_BLOCK_TEXT:
            for line in mupdf.FzStextBlock(place.block):
                char = line.m_internal.first_char
                while char:
                    fonts[int(char.font.this)] = char.font
                    char = char.next
        place = mupdf.ll_fz_stext_page_block_iterator_next_dfs(place)
    return list(fonts.values())
