"""Colours as a person would see them: any Pillow mode becomes plain RGB without losing what is written."""

import math

from PIL import Image, ImageOps

_DEEP = {"I", "F", "I;16", "I;16L", "I;16B", "I;16N"}
_ALPHA = {"RGBA", "LA", "PA", "RGBa", "La"}
_LIGHT = 200  # a pixel as light as this cannot be told from white paper
_VISIBLE = 64  # alpha from which on a pixel is seen
_NEARLY_ALL = 0.99


def to_eight_bits(image: Image.Image, inverted: bool = False) -> Image.Image:
    """The image in mode L, RGB or RGBA; `inverted` says that the deep modes hold white as 0."""
    if image.mode in _DEEP:
        grey = _stretched(image)
        return ImageOps.invert(grey) if inverted else grey
    if image.mode in _ALPHA or "transparency" in image.info:
        return _with_alpha(image)
    if image.mode in {"1", "L"}:
        return image.convert("L")
    return image.convert("RGB")


def flattened(image: Image.Image) -> Image.Image:
    """RGB without transparency: on white, or on black where nearly all that can be seen is light."""
    if image.mode != "RGBA":
        return image.convert("RGB")
    alpha = image.getchannel("A")
    if alpha.getextrema()[0] == 255:
        return image.convert("RGB")
    seen = image.convert("L").histogram(alpha.point(lambda a: 255 if a >= _VISIBLE else 0))
    light = sum(seen[_LIGHT:]) > _NEARLY_ALL * sum(seen) and sum(seen) > 0
    paper = Image.new("RGB", image.size, "black" if light else "white")
    paper.paste(image, mask=alpha)
    return paper


def _with_alpha(image: Image.Image) -> Image.Image:
    if image.mode in {"RGBa", "La"}:  # premultiplied; Pillow converts each only to its own plain mode
        image = image.convert("RGBA" if image.mode == "RGBa" else "LA")
    return image.convert("RGBA")


def _stretched(image: Image.Image) -> Image.Image:
    """Grey in 8 bits of an image with more: its lightest value becomes white, so 12 bits of 16 are not lost.

    Raises ValueError where the values are not finite.
    """
    low, high = (float(v) for v in image.getextrema())  # type: ignore[arg-type]  # one band: a pair of numbers
    if not (math.isfinite(low) and math.isfinite(high)):
        raise ValueError("pixel values are not finite")
    low = min(low, 0.0)
    floor = 1.0 if image.mode == "F" and high <= 1.0 else 255.0  # what is nearly black all over stays so
    scale = 255.0 / max(high - low, floor)
    if image.mode not in {"I", "F"}:
        image = image.convert("I")
    return image.convert("F").point(lambda v: v * scale - low * scale).convert("L")
