"""The input of the PP-OCR recogniser, and the decoding of its output."""

import numpy as np

from ocrqueue.vision.ppocr import decode, network_input


def test_the_input_is_scaled_and_padded_with_mid_grey():
    pixels = np.zeros((2, 3, 3), np.uint8)
    pixels[:, :, 0] = 255  # blue
    found = network_input(pixels, 5)
    assert (found.shape, found.dtype) == ((3, 2, 5), np.float32)
    assert found[0, 0].tolist() == [1, 1, 1, 0, 0]
    assert found[2, 1].tolist() == [-1, -1, -1, 0, 0]


def test_the_input_is_cut_at_the_width():
    pixels = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)
    assert network_input(pixels, 2).tolist() == network_input(pixels)[:, :, :2].tolist()


def test_repeated_classes_are_one_character_unless_a_blank_is_between():
    best = [0, 2, 2, 0, 2, 1, 1, 0]
    output = np.full((len(best), 3), 0.1, np.float32)
    output[range(len(best)), best] = np.linspace(0.3, 1.0, len(best))
    columns, classes, confidences = decode(output)
    assert columns.tolist() == [1, 4, 5]
    assert classes.tolist() == [2, 2, 1]
    assert confidences.tolist() == output[columns, classes].tolist()


def test_a_line_without_characters():
    output = np.zeros((4, 3), np.float32)
    output[:, 0] = 1
    assert [len(part) for part in decode(output)] == [0, 0, 0]
