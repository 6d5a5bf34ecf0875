"""Makes slightly different scans of the same pages, so that two versions are compared with less chance.

`python -m bench.shaken FOLDER OUT [--copies N]`. Each copy of a document's first page is turned by up to 0.4 degrees,
scaled by up to 4 % and moved by up to 3 pixels, by other amounts for each copy and the same in every run. OUT is a
folder for the scripts that read one. Its PNG images take 0.3 MB each on average with the documents of the benchmarks.
"""

import json
import random
from argparse import ArgumentParser
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from bench.support import corpus
from ocrqueue.documents import PageImage, open_document
from ocrqueue.limits import Limits

DPI = 200  # of pages that do not say theirs


def shaken(page: PageImage, seed: str) -> tuple[Image.Image, float]:
    """Another scan of a page, and its resolution in dpi."""
    chance = random.Random(seed)
    pixels = np.asarray(page.image.convert("RGB"))
    height, width = pixels.shape[:2]
    scale, degrees = chance.uniform(0.96, 1.04), chance.uniform(-0.4, 0.4)
    wide, high = round(width * scale), round(height * scale)
    move = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, scale)
    move[0, 2] += (wide - width) / 2 + chance.uniform(-3, 3)
    move[1, 2] += (high - height) / 2 + chance.uniform(-3, 3)
    moved = cv2.warpAffine(pixels, move, (wide, high), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    return Image.fromarray(moved.astype(np.uint8)), page.dpi * scale


def main() -> None:
    """Write the images, their texts, and the manifest."""
    parser = ArgumentParser(prog="python -m bench.shaken", description="Slightly different scans of the same pages.")
    corpus.arguments(parser)
    parser.add_argument("out", type=Path)
    parser.add_argument("--copies", type=int, default=4)
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    rows = []
    for entry in corpus.load(given.folder, given.classes):
        first = entry.first(1)
        with open_document(entry.file, Limits()) as document:
            page = document.render(1, None, DPI)
        for copy in range(given.copies):
            name = f"{entry.file.stem}-{copy}"
            image, dpi = shaken(page, f"{entry.file.name}{copy}")
            image.save(given.out / f"{name}.png", dpi=(dpi, dpi), compress_level=1)
            (given.out / f"{name}.txt").write_text(first.text)
            row = {"cls": entry.cls, "lang": entry.lang, "pages": 1, "order": entry.order}
            rows.append({"file": f"{name}.png", "truth": f"{name}.txt", **row})
    (given.out / "manifest.json").write_text(json.dumps(rows))
    print(f"{len(rows)} images in {given.out}")


if __name__ == "__main__":
    main()
