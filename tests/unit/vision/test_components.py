"""Connected components of a mask, measured by its rows of pixels."""

import cv2
import numpy as np
import pytest

from ocrqueue.vision.components import components_of


@pytest.mark.parametrize("share", [0.0, 0.02, 0.3, 0.6, 1.0])
@pytest.mark.parametrize("shape", [(1, 1), (1, 40), (40, 1), (37, 53)])
def test_components_are_those_that_opencv_measures(shape, share):
    mask = (np.random.default_rng(7).random(shape) < share).astype(np.uint8)
    _, labels, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
    found = components_of(mask)
    assert (found.labels == labels).all()
    measured = np.stack([found.x, found.y, found.width, found.height, found.area], axis=1)
    assert measured.tolist() == stats[1:].tolist()
