"""Makes pages that look like scans, in 19 languages, with their true texts: a folder for the scripts that read one.

`python -m bench.guide_scans GUIDES OUT [--pages N]`. GUIDES is the folder of Debian's package
`installation-guide-amd64`, such as `X/usr/share/doc/installation-guide-amd64` after
`apt download installation-guide-amd64` and `dpkg -x installation-guide-amd64_*.deb X`.

A page of a guide's PDF is rendered, and its text layer is the truth. The text layers of Vietnamese and Korean have lost
blanks, and there is no Greek PDF: for these, paragraphs of the guide's plain text are drawn. With `--fraktur FONT`, the
German text is drawn, too, in this font and with the long s, such as in UnifrakturMaguntia (licence: OFL).
"""

import gzip
import io
import json
import random
import re
from argparse import ArgumentParser
from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

import numpy as np
import pymupdf
from PIL import Image, ImageFilter

DPI = 200
T = TypeVar("T")
CLASS = "guide-scan"
DRAWN = ("el", "ko", "vi")  # their text is drawn
_LEAST = 1200  # characters of a page
_FOREIGN = 0.1  # share of a paragraph's characters that English does not have
_DRAWN = 2000  # characters of a page that is drawn
# Scoring leaves out blanks in "vi", which the truth of other documents lacks; with this name it does not.
_NAMES = {"vi": "vie"}
_LONG_S = re.compile(r"s(?=\w)")  # at the end of a word, the s is round


def pages_of(folder: Path, language: str, count: int) -> Iterator[tuple[pymupdf.Page, str]]:
    """`count` pages of a guide, spread over it, each with its text."""
    if language in DRAWN:
        text = gzip.decompress((folder / f"install.{language}.txt.gz").read_bytes()).decode()
        yield from (_drawn(part) for part in _spread(list(parts_of(text, _FOREIGN)), count))
        return
    document = pymupdf.open("pdf", gzip.decompress((folder / f"install.{language}.pdf.gz").read_bytes()))
    texts = [(page, page.get_text(sort=True)) for page in document]
    yield from _spread([(page, text) for page, text in texts if len(text) >= _LEAST], count)


def scanned(page: pymupdf.Page, seed: str) -> bytes:
    """A JPEG of a page as a cheap scanner makes it: grey, a little askew, blurred, noisy."""
    chance = random.Random(seed)
    image = page.get_pixmap(dpi=DPI, colorspace=pymupdf.csGRAY).pil_image()
    image = image.rotate(chance.uniform(-0.8, 0.8), Image.Resampling.BICUBIC, fillcolor=255)
    image = image.filter(ImageFilter.GaussianBlur(chance.uniform(0.7, 1.1)))
    noise = np.random.default_rng(chance.randrange(2**32)).normal(0, 9, (image.height, image.width))
    grey = np.asarray(image, np.float32) * 0.8 + 35 + noise
    file = io.BytesIO()
    Image.fromarray(grey.clip(0, 255).astype(np.uint8)).save(file, "JPEG", quality=55, dpi=(DPI, DPI))
    return file.getvalue()


def in_fraktur(folder: Path, font: Path, count: int) -> Iterator[tuple[pymupdf.Page, str]]:
    """`count` pages of the German guide, drawn in a font."""
    text = gzip.decompress((folder / "install.de.txt.gz").read_bytes()).decode()
    for part in _spread(list(parts_of(text.replace("│", "|"), 0.01)), count):  # without tables
        yield _drawn(_LONG_S.sub("ſ", part), font, size=12)


def parts_of(text: str, foreign: float, length: int = _DRAWN) -> Iterator[str]:
    """The paragraphs of a plain text, as many together as have `length` characters.

    Those are left out that have less than this share of characters that English does not have: nobody translated them.
    """
    part = ""
    for paragraph in re.split(r"\n\s*\n", text):
        joined = " ".join(paragraph.split())
        if len(joined) < 60 or any(sign in joined for sign in ("___", "....", "---", "+--", "|")):
            continue  # headings, tables, rules
        if sum(not letter.isascii() for letter in joined) < foreign * len(joined):
            continue
        part += joined + "\n"
        if len(part) >= length:
            yield part
            part = ""


def _drawn(text: str, font: Path | None = None, size: int = 10) -> tuple[pymupdf.Page, str]:
    page = pymupdf.open().new_page(width=595, height=842)
    body = "".join(f"<p>{line.replace('&', '&amp;').replace('<', '&lt;')}</p>" for line in text.splitlines())
    css = f"@font-face {{font-family: given; src: url({font.name})}} * {{font-family: given}}" if font else ""
    archive = pymupdf.Archive(str(font.parent)) if font else None
    box = pymupdf.Rect(60, 60, 535, 780)
    page.insert_htmlbox(box, f'<div style="font-size:{size}px">{body}</div>', css=css, archive=archive)
    return page, text


def _spread(items: list[T], count: int) -> list[T]:
    """`count` of the items, at equal distances."""
    return [items[(2 * i + 1) * len(items) // (2 * count)] for i in range(count)]


def main() -> None:
    """Write the pages, their texts and manifest.json."""
    parser = ArgumentParser(prog="python -m bench.guide_scans", description="Pages like scans in many languages.")
    parser.add_argument("guides", type=Path, help="the folder of the package's documentation")
    parser.add_argument("out", type=Path, help="an empty folder")
    parser.add_argument("--pages", type=int, default=2, help="pages of each language (default 2)")
    parser.add_argument("--fraktur", type=Path, metavar="FONT", help="make only German pages, in this Fraktur font")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    rows = []
    if given.fraktur:
        made = [("de-Fraktur", in_fraktur(given.guides / "de", given.fraktur, given.pages))]
    else:
        folders = sorted(path.parent for path in given.guides.glob("*/install.*.txt.gz"))
        made = [(folder.name, pages_of(folder, folder.name, given.pages)) for folder in folders]
    for language, pages in made:
        for number, (page, text) in enumerate(pages, 1):
            name = f"{language}_{number}"
            (given.out / f"{name}.jpg").write_bytes(scanned(page, name))
            (given.out / f"{name}.txt").write_text(text)
            lang = _NAMES.get(language, language)
            rows.append({"file": f"{name}.jpg", "truth": f"{name}.txt", "cls": CLASS, "lang": lang, "pages": 1,
                         "order": "reading"})  # fmt: skip
    (given.out / "manifest.json").write_text(json.dumps(rows, indent=1))
    print(f"{len(rows)} pages in {given.out}")


if __name__ == "__main__":
    main()
