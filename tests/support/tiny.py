"""The small real model in tests/data/tiny-ocr-vlm, pages that it reads, and a large model with random weights."""

import io
import json
import math
import random
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw, ImageFont

FOLDER = Path(__file__).parents[1] / "data" / "tiny-ocr-vlm"
NAME = FOLDER.name
PROMPT = "OCR:"
# Sizes of black images for which the model generates "NO NO NO ..." endlessly:
LOOPS = (192, 96)  # at every temperature up to 0.8
LOOPS_ONCE = (96, 96)  # at temperature 0, and not at 2
LOOPS_LATE = (288, 96)  # at temperature 0, and after some other text at 1.5


def render(*lines: str) -> Image.Image:
    """An image of lines like those the model was trained on: 24 pixels high, black on white, from the top left."""
    font = ImageFont.load_default(24)
    width = max((math.ceil(font.getlength(line)) for line in lines), default=16)
    page = Image.new("L", (width + 16, 32 * max(1, len(lines)) + 8), 255)
    for number, line in enumerate(lines):
        ImageDraw.Draw(page).text((8, 6 + 32 * number), line, fill=0, font=font, anchor="la")
    return page.convert("RGB")


def black(size: tuple[int, int] = LOOPS) -> Image.Image:
    """A page that makes the model repeat itself endlessly."""
    return Image.new("RGB", size, "black")


def texts(count: int, seed: int = 5) -> list[str]:
    """Random texts of one to three lines; with the default seed the first 96 are read exactly."""
    draw = random.Random(seed)
    letters = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"

    def line() -> str:
        return "".join(draw.choice(letters) for _ in range(draw.randint(4, 8)))

    return ["\n".join(line() for _ in range(draw.randint(1, 3))) for _ in range(count)]


def pages(wanted: Sequence[str]) -> list[Image.Image]:
    """An image for each text."""
    return [render(*text.split("\n")) for text in wanted]


def document(images: Sequence[Image.Image]) -> bytes:
    """A TIFF with a page for each image."""
    stream = io.BytesIO()
    images[0].save(stream, "TIFF", save_all=True, append_images=list(images[1:]), compression="tiff_deflate")
    return stream.getvalue()


def copy_to(folder: Path, name: str = NAME) -> Path:
    """Copy the model's folder into a model directory. Returns the copy."""
    return Path(shutil.copytree(FOLDER, folder / name))


def large_model(folder: Path, megabytes: int) -> Path:
    """A model of the same type with random weights of this size: it uses memory like a real one, but cannot read."""
    import mlx.core as mx

    copied = copy_to(folder, "large")
    config = json.loads((copied / "config.json").read_text())
    hidden = config["hidden_size"]
    wide = config["intermediate_size"] = megabytes * 2**20 // (4 * 3 * hidden * config["num_hidden_layers"])
    (copied / "config.json").write_text(json.dumps(config))
    weights: Any = mx.load(str(copied / "model.safetensors"))
    for name in weights:
        if ".mlp.down_proj." in name:
            weights[name] = mx.random.normal((hidden, wide)) * 0.02
        elif ".mlp.gate_proj." in name or ".mlp.up_proj." in name:
            weights[name] = mx.random.normal((wide, hidden)) * 0.02
    mx.save_safetensors(str(copied / "model.safetensors"), weights)
    return copied
