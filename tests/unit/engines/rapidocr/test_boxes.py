"""Boxes of lines from the detector's output: the same as RapidOCR's code finds."""

import subprocess
import sys

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from rapidocr.ch_ppocr_det.main import TextDetector
from rapidocr.ch_ppocr_det.utils import DBPostProcess

from ocrqueue.engines.rapidocr.boxes import BoxFinder
from ocrqueue.engines.rapidocr.lines import ReaderSettings

S = ReaderSettings()
FINDER = BoxFinder(S.pixel_threshold, S.box_threshold, S.unclip, S.max_boxes)


def output(seed: int, regions: int) -> NDArray[np.float32]:
    """Scores with rectangles of any size, angle and score, some of them over the edge."""
    chance = np.random.default_rng(seed)
    height, width = chance.integers(64, 700, 2)
    scores = np.zeros((height, width), np.float32)
    for _ in range(regions):
        centre = (float(chance.uniform(0, width)), float(chance.uniform(0, height)))
        size = (float(chance.uniform(1, 200)), float(chance.uniform(1, 30)))
        corners = cv2.boxPoints((centre, size, float(chance.choice([0, 0, chance.uniform(-90, 90)]))))
        cv2.fillPoly(scores, [corners.astype(np.int32)], float(chance.uniform(0.2, 1)))
    return cv2.GaussianBlur(scores, (0, 0), 1).astype(np.float32)


@pytest.mark.parametrize("scale", [0.4, 1.0, 2.7])
def test_boxes_are_those_of_rapidocr(scale: float) -> None:
    found = 0
    for seed in range(12):
        scores = output(seed, 5 * seed)
        height, width = (round(side * scale) for side in scores.shape)
        theirs = DBPostProcess(S.pixel_threshold, S.box_threshold, S.max_boxes, S.unclip, "fast", True)
        expected, _ = theirs(scores[None, None], (height, width))
        boxes = FINDER(scores, width, height)
        assert boxes.tolist() == TextDetector.sorted_boxes(expected).tolist()
        found += len(boxes)
    assert found > 30


def test_regions_are_limited() -> None:
    scores = np.zeros((200, 300), np.float32)
    for top in (20, 80, 140):
        scores[top : top + 20, 30:200] = 1
    assert len(FINDER(scores, 300, 200)) == 3
    assert len(BoxFinder(S.pixel_threshold, S.box_threshold, S.unclip, 2)(scores, 300, 200)) == 2


def test_an_empty_output_has_no_boxes() -> None:
    assert FINDER(np.zeros((64, 96), np.float32), 96, 64).shape == (0, 4, 2)


def test_the_engine_does_not_import_what_rapidocr_imports() -> None:
    program = (
        "import sys, ocrqueue.engines.rapidocr.lines; print({'requests', 'omegaconf', 'shapely'} & {*sys.modules})"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
