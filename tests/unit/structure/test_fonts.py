"""Fonts of pages that the layout models have seen can be freed."""

from ocrqueue.documents.pdf.mupdf import pymupdf
from ocrqueue.structure.fonts import fonts_of
from ocrqueue.structure.models import regions_of
from tests.unit.structure.pages import PROSE, Sketch


def test_the_models_keep_no_fonts(tmp_path):
    """Sizes of a font that are nearly the same are what they counted without end."""
    sketch = Sketch()
    for number, line in enumerate(PROSE * 3):
        sketch.write(line, size=10 + number / 100)
    with pymupdf.open(sketch.save(tmp_path / "page.pdf")) as pdf:
        page = pdf[0]
        fonts = fonts_of(text := page.get_textpage())
        assert len(fonts) == 1
        regions_of(page)  # glyphs that it draws remain in a cache, with references to the font
        before = fonts[0].refs
        assert regions_of(page)
        assert fonts[0].refs == before
        del text
