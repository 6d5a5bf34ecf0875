"""The pixels of a page, as the engine's networks see them."""

import numpy as np
import pytest
from PIL import Image

from ocrqueue.engines.rapidocr.engine import _STRIP, _pixels


@pytest.mark.parametrize("height", [1, _STRIP - 1, _STRIP, _STRIP + 1, 3 * _STRIP])
def test_pixels_are_those_of_the_image_with_blue_first(height):
    shown = np.random.default_rng(3).integers(0, 256, (height, 17, 3), np.uint8)
    assert (_pixels(Image.fromarray(shown)) == shown[:, :, ::-1]).all()
