"""The pages that train the tiny vision-language model. They are drawn during the training; nothing is downloaded."""

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from tests.support.tiny_vlm.files import CELL, MERGE, PATCH

DIGITS = "0123456789"
CHARS = DIGITS + "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
PUNCTUATION = "-./:"
_DEJAVU = Path("/usr/share/fonts/truetype/dejavu")
FONTS = ["pillow", *(name for name in ("DejaVuSans", "DejaVuSansMono") if (_DEJAVU / f"{name}.ttf").exists())]


@dataclass(frozen=True, slots=True)
class Style:
    """How a page is drawn. The model reads the defaults best."""

    font: str = "pillow"  # a name of `FONTS`; "pillow" is part of Pillow
    size: int = 24  # of the font, pixels
    at: tuple[int, int] = (8, 6)  # (left, top) of the first line, pixels
    pitch: int = 32  # from line to line, pixels
    ink: int = 0  # grey value of the text, 0 to 255
    paper: int = 255  # grey value of the background


@dataclass(frozen=True, slots=True)
class Grid:
    """The size of a page, and of the text on it."""

    columns: int  # width in cells
    rows: int  # height in cells
    lines: int  # most lines of the text
    shortest: int  # characters of the shortest line
    longest: int  # characters of the longest line

    @property
    def answer(self) -> int:
        """Tokens of the longest text: its characters and line ends."""
        return self.lines * (self.longest + 1)

    @property
    def batch(self) -> int:
        """Number of pages in a step."""
        return max(16, min(64, 1024 // (self.columns * self.rows) // 8 * 8))


@dataclass(frozen=True, slots=True)
class Stage:
    """A kind of page. Each step chooses a random size within its limits."""

    lines: int  # most lines of the text
    columns: tuple[int, int]  # (least, most) cells of the width
    rows: tuple[int, int]  # (least, most) cells of the height
    shortest: int  # characters of the shortest line
    longest: int  # characters of the longest line
    weight: float = 1.0  # how often this kind is chosen

    def draw(self, rng: random.Random) -> Grid:
        """A random page size of this kind."""
        columns, rows = rng.randint(*self.columns), rng.randint(*self.rows)
        longest = min(self.longest, round(columns * CELL / 16))
        return Grid(columns, rows, self.lines, min(self.shortest, longest), longest)


@cache
def font_of(name: str, size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """A font by name; "pillow" needs no file."""
    return ImageFont.load_default(size) if name == "pillow" else ImageFont.truetype(_DEJAVU / f"{name}.ttf", size)


def render(lines: Sequence[str], style: Style = Style(), canvas: tuple[int, int] | None = None) -> Image.Image:
    """A grey page with these lines. `canvas`: (width, height) in pixels; None: as large as the text needs."""
    font = font_of(style.font, style.size)
    if canvas is None:
        width = max((math.ceil(font.getlength(line)) for line in lines), default=16)
        canvas = width + 2 * style.at[0], style.pitch * max(1, len(lines)) + 2 * style.at[1] - 4
    page = Image.new("L", canvas, style.paper)
    for number, line in enumerate(lines):
        at = style.at[0], style.at[1] + number * style.pitch
        ImageDraw.Draw(page).text(at, line, fill=style.ink, font=font, anchor="la")
    return page


def random_line(rng: random.Random, shortest: int, longest: int) -> str:
    """A random line of the model's alphabet. Runs of one character are frequent, because they are difficult."""
    count, kind = rng.randint(shortest, longest), rng.random()
    pool = DIGITS if kind < 0.25 else CHARS[10:] if kind < 0.40 else CHARS
    line = [rng.choice(pool) for _ in range(count)]
    if rng.random() < 0.08:
        start = rng.randrange(count)
        line[start:] = [line[start]] * (count - start)
    if count >= 3 and rng.random() < 0.5:
        for _ in range(rng.randint(1, 2)):
            at = rng.randint(1, count - 2)
            if line[at - 1] in CHARS and line[at + 1] in CHARS:
                line[at] = rng.choice(" " + PUNCTUATION) if rng.random() < 0.7 else " "
    return "".join(line)


def sample(rng: random.Random, grid: Grid, level: int) -> tuple[Image.Image, str]:
    """A page and its text. Level 0: text near the top left; 1: anywhere; 2: also other sizes, fonts and grey values."""
    width, height = grid.columns * CELL, grid.rows * CELL
    if level == 2 and rng.random() < 0.8:  # any size that is rounded to this grid
        width += rng.randint(-(CELL // 2) + 1, CELL // 2 - 1)
        height += rng.randint(-(CELL // 2) + 1, CELL // 2 - 1)
    lines, style, room = _text_that_fits(rng, grid, level, (width, height))
    left, top = room
    if level == 0 or rng.random() < 0.6:  # text usually starts near the corner
        left, top = min(left, 14), min(top, 10)
    at = rng.randint(2, max(2, left)), rng.randint(1, max(1, top))
    ink, paper = (rng.randint(0, 80), rng.randint(220, 255)) if level == 2 and rng.random() < 0.2 else (0, 255)
    page = _fit(render(lines, Style(style.font, style.size, at, style.pitch, ink, paper), (width, height)))
    if level == 1 and rng.random() < 0.4:
        page = _softened(rng, page)
    assert page.size == (grid.columns * CELL, grid.rows * CELL)
    return page, "\n".join(lines)


def _text_that_fits(
    rng: random.Random, grid: Grid, level: int, canvas: tuple[int, int]
) -> tuple[list[str], Style, tuple[int, int]]:
    """Lines, their style, and the largest distance (left, top) at which they may start."""
    for _ in range(50):
        name, size = "pillow", 24
        if level == 2 and rng.random() < 0.15:
            name, size = rng.choice(FONTS), rng.randint(22, 26)
        count = rng.randint(max(1, grid.lines - 1), grid.lines)
        lines = [random_line(rng, grid.shortest, grid.longest) for _ in range(count)]
        pitch = round(size * (1.33 if rng.random() < 0.7 else rng.uniform(1.2, 1.45)))
        wide = math.ceil(max(font_of(name, size).getlength(line) for line in lines))
        high = pitch * (count - 1) + round(size * 1.1)
        if wide + 6 <= canvas[0] and high + 4 <= canvas[1]:
            return lines, Style(name, size, pitch=pitch), (canvas[0] - wide - 2, canvas[1] - high - 1)
    return ["0"], Style(), (canvas[0] - 16, canvas[1] - 27)


def _softened(rng: random.Random, page: Image.Image) -> Image.Image:
    wide, high = rng.uniform(0.93, 1.07), rng.uniform(0.90, 1.10)
    there = page.resize((round(page.width * wide), round(page.height * high)), Image.Resampling.BICUBIC)
    return there.resize(page.size, Image.Resampling.BICUBIC)


def _fit(page: Image.Image) -> Image.Image:
    """Round both sides to whole cells, like the image processor of Qwen2-VL."""
    size = max(CELL, round(page.width / CELL) * CELL), max(CELL, round(page.height / CELL) * CELL)
    return page if size == page.size else page.resize(size, Image.Resampling.BICUBIC)


def patchify(pages: NDArray[np.uint8], columns: int, rows: int) -> NDArray[np.float32]:
    """(B, H, W) grey pages to (B, rows * columns * 4, PATCH * PATCH) patches, in the order that Qwen2-VL merges."""
    values = pages.astype(np.float32) * np.float32(1 / 127.5) - np.float32(1.0)
    values = values.reshape(len(pages), rows, MERGE, PATCH, columns, MERGE, PATCH).transpose(0, 1, 4, 2, 5, 3, 6)
    return values.reshape(len(pages), rows * columns * MERGE * MERGE, PATCH * PATCH)


def held_out(
    seed: int, count: int, lines: int, span: tuple[int, int] = (4, 8), style: Style = Style(), pool: str = ""
) -> list[tuple[Image.Image, str]]:
    """Pages for the evaluation. `lines` 0: one to three; `span`: characters of a line; `pool`: the alphabet."""
    rng = random.Random(1_000_003 * seed + lines)
    found = []
    for _ in range(count):
        text = [
            "".join(rng.choices(pool, k=rng.randint(*span))) if pool else random_line(rng, *span)
            for _ in range(lines or rng.randint(1, 3))
        ]
        found.append((render(text, style).convert("RGB"), "\n".join(text)))
    return found
