"""What each user of PP-OCR's networks needs: the folder of their files, their input, and decoding of their output.

Two packages run these networks: `engines.rapidocr` reads text with them on OpenVINO or ONNX Runtime, and `upright` asks
which way up a page is, on OpenCV. This module runs none, and imports neither NumPy nor RapidOCR until it is called.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

LINE_HEIGHT = 48  # pixels: the height of a line on which recogniser and classifier were trained
BLANK = 0  # the recogniser's class for "no character"


def package_folder() -> Path:
    """The folder of the installed package `rapidocr`. Raises ImportError if it is not installed."""
    import rapidocr

    return Path(rapidocr.__file__).parent


def network_input(pixels: "NDArray[np.uint8]", width: int | None = None) -> "NDArray[np.float32]":
    """An image as PP-OCR's networks were trained on it: 3 x height x width, blue first, values from -1 to 1.

    `pixels` has the shape height x width x 3, blue first. `width` pads it on the right with 0 (mid-grey), or cuts it;
    None keeps its width.
    """
    import numpy as np

    width = width or pixels.shape[1]
    part = pixels[:, :width]
    result = np.zeros((3, part.shape[0], width), np.float32)
    shown = result[:, :, : part.shape[1]]
    np.multiply(part.transpose(2, 0, 1), np.float32(1 / 127.5), out=shown)
    shown -= 1
    return result


def decode(output: "NDArray[np.float32]") -> tuple["NDArray[Any]", "NDArray[Any]", "NDArray[np.float32]"]:
    """Columns, classes and confidences (0 to 1) of the characters in a recogniser's output of columns x classes."""
    best = output.argmax(axis=1)
    columns = character_columns(best)
    classes = best[columns]
    return columns, classes, output[columns, classes]


def character_columns(best: "NDArray[Any]") -> "NDArray[Any]":
    """The columns of the characters, from the likeliest class of each column.

    Greedy decoding of connectionist temporal classification (Graves and others, 2006): of equal neighbours the first
    alone, and no blanks.
    """
    is_character = best != BLANK
    is_character[1:] &= best[1:] != best[:-1]
    columns: NDArray[Any] = is_character.nonzero()[0]
    return columns
