"""Documents whose pixels encode the number of a page and the behaviour of the test engine on it.

A page has 16 stripes, white or black: 12 bits for the number, 4 bits for the behaviour. So tests know each page's text.
"""

import io
from collections.abc import Mapping
from typing import TYPE_CHECKING

from PIL import Image

if TYPE_CHECKING:
    from pathlib import Path

STRIPE, BITS = 8, 16
NORMAL, SLOW, RAISE, KILL_CHILD, HANG_IN_C, MEMORY_ERROR, KILL_WORKER, GROW, SLEEP_FOREVER, WARN = range(10)


def page_image(number: int, behaviour: int = NORMAL) -> Image.Image:
    """The image of one page."""
    code = number | behaviour << 12
    image = Image.new("L", (STRIPE * BITS, STRIPE), 255)
    for bit in range(BITS):
        if code >> bit & 1:
            image.paste(0, (bit * STRIPE, 0, (bit + 1) * STRIPE, STRIPE))
    return image.convert("1")


def decode(image: Image.Image) -> tuple[int, int]:
    """(number, behaviour) of a page image."""
    grey = image.convert("L")
    row = grey.crop((0, STRIPE // 2, STRIPE * BITS, STRIPE // 2 + 1)).tobytes()
    code = sum((row[bit * STRIPE + STRIPE // 2] < 128) << bit for bit in range(BITS))
    return code & 0xFFF, code >> 12


def document(pages: int, behaviours: Mapping[int, int] | None = None, salt: int = 0) -> bytes:
    """A TIFF with this many pages. `behaviours`: {page number: behaviour}. `salt` changes the bytes, but no page."""
    frames = [page_image(n, (behaviours or {}).get(n, NORMAL)) for n in range(1, pages + 1)]
    stream = io.BytesIO()
    frames[0].save(stream, "TIFF", save_all=True, append_images=frames[1:], description=f"salt {salt}")
    return stream.getvalue()


def text(number: int) -> str:
    """What the test engines read on a page."""
    return f"page {number}"


def write(path: "Path", pages: int, behaviours: Mapping[int, int] | None = None, salt: int = 0) -> "Path":
    """Write the same document to a file. Returns `path`."""
    path.write_bytes(document(pages, behaviours, salt))
    return path
