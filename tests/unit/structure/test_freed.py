"""What the layout models saw of a page can be freed."""

from ocrqueue.documents.pdf.mupdf import pymupdf
from ocrqueue.structure.fonts import fonts_of
from ocrqueue.structure.models import _model, regions_of
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


def test_the_models_keep_nothing_of_the_image(tmp_path):
    sketch = Sketch()
    sketch.paragraph()
    with pymupdf.open(sketch.save(tmp_path / "page.pdf")) as pdf:
        assert regions_of(pdf[0])
    held = [value for value in vars(_model()._model.feature_extractor).values() if hasattr(value, "nbytes")]
    assert not held
