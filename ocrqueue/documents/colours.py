"""Colours: an image of any Pillow mode becomes RGB in which everything written stays visible."""

import math

from PIL import Image, ImageOps

_DEEP = {"I", "F", "I;16", "I;16L", "I;16B", "I;16N"}  # Pillow modes with more than 8 bits per channel
_ALPHA = {"RGBA", "LA", "PA", "RGBa", "La"}  # Pillow modes with transparency
_LIGHT = 200  # of 255: on white paper, pixels from this grey value on are hard to see
_VISIBLE = 64  # of 255: a pixel with less alpha counts as transparent
_NEARLY_ALL = 0.99  # share of the visible pixels; the rest may be dark specks


def to_eight_bits(image: Image.Image, inverted: bool = False) -> Image.Image:
    """The image in mode L, RGB or RGBA. With `inverted`, modes of more than 8 bits hold white as 0.

    Raises ValueError if pixel values are not finite.
    """
    if image.mode in _DEEP:
        grey = _stretched(image)
        return ImageOps.invert(grey) if inverted else grey
    if image.mode in _ALPHA or "transparency" in image.info:
        return _with_alpha(image)
    if image.mode in {"1", "L"}:
        return image.convert("L")
    return image.convert("RGB")


def flattened(image: Image.Image) -> Image.Image:
    """The image in mode RGB, drawn on white; on black if nearly all visible pixels are light."""
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
    if image.mode in {"RGBa", "La"}:  # premultiplied alpha; Pillow converts each only to its own plain mode
        image = image.convert("RGBA" if image.mode == "RGBa" else "LA")
    return image.convert("RGBA")


def _stretched(image: Image.Image) -> Image.Image:
    """An image of more than 8 bits as 8-bit grey: its lightest value becomes white, so that 12 bits in 16 stay light.

    Raises ValueError if pixel values are not finite.
    """
    low, high = (float(v) for v in image.getextrema())  # type: ignore[arg-type]  # one band: a pair of numbers
    if not (math.isfinite(low) and math.isfinite(high)):
        raise ValueError("pixel values are not finite")
    low = min(low, 0.0)
    floor = (
        1.0 if image.mode == "F" and high <= 1.0 else 255.0
    )  # an image that is nearly black all over is not stretched to white
    scale = 255.0 / max(high - low, floor)
    if image.mode not in {"I", "F"}:
        image = image.convert("I")
    return image.convert("F").point(lambda v: v * scale - low * scale).convert("L")
