"""What the layout models saw of a page can be freed."""

import gc
import weakref

import pytest

from ocrqueue.documents.pdf.mupdf import pymupdf
from ocrqueue.errors import PageFailure
from ocrqueue.structure.fonts import fonts_of
from ocrqueue.structure.models import MOST, _model, free_models, regions_of
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


def test_a_page_with_more_text_than_the_models_take_is_refused_before_they_compare_it(tmp_path):
    with pymupdf.open() as pdf:
        page, across = pdf.new_page(), 40
        for n in range(MOST + across):
            page.insert_text((20 + 14 * (n % across), 20 + 20 * (n // across)), "ab", fontsize=4)
        with pytest.raises(
            PageFailure, match=f"the page has 1,[0-9]+ pieces of text, and the layout models take {MOST:,}"
        ):
            regions_of(page)


def test_the_models_keep_nothing_of_the_image(tmp_path):
    sketch = Sketch()
    sketch.paragraph()
    with pymupdf.open(sketch.save(tmp_path / "page.pdf")) as pdf:
        assert regions_of(pdf[0])
    held = [value for value in vars(_model()._model.feature_extractor).values() if hasattr(value, "nbytes")]
    assert not held


def test_the_models_are_freed_and_loaded_again(tmp_path):
    sketch = Sketch()
    sketch.paragraph()
    with pymupdf.open(sketch.save(tmp_path / "page.pdf")) as pdf:
        before = regions_of(pdf[0])
        model = weakref.ref(_model())
        free_models()
        gc.collect()
        assert model() is None
        assert regions_of(pdf[0]) == before
