"""Pages with drawn lines, and their text as the engine `rapidocr` reads it."""

from PIL import Image, ImageDraw, ImageFont

from ocrqueue.engines.rapidocr.engine import RapidOcr
from ocrqueue.options import Options
from ocrqueue.pages import PageText


def drawn(*lines: str, size: tuple[int, int] = (700, 400), font: int = 36) -> Image.Image:
    page = Image.new("RGB", size, "white")
    for number, line in enumerate(lines):
        ImageDraw.Draw(page).text((40, 60 + 100 * number), line, fill="black", font=ImageFont.load_default(font))
    return page


def read(engine: RapidOcr, page: Image.Image) -> PageText:
    (found,) = engine.read([page], Options())
    assert isinstance(found, PageText)
    return found
