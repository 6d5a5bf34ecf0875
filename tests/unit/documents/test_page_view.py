"""Views of pages: they show what was read, in the position in which it was read."""

import pytest
from PIL import Image, ImageChops, ImageDraw, ImageStat

from ocrqueue.documents.page_image import PageImage
from ocrqueue.documents.page_view import view
from ocrqueue.documents.transforms import IDENTITY
from ocrqueue.upright.turn import turned


def page() -> PageImage:
    """A page without symmetry."""
    image = Image.new("RGB", (300, 200), "white")
    draw = ImageDraw.Draw(image)
    draw.rectangle((20, 10, 90, 60), fill="black")
    draw.ellipse((200, 120, 280, 190), fill="red")
    return PageImage(image, 72.0, 0.0, IDENTITY)


def difference(one: Image.Image, other: Image.Image) -> float:
    """The mean difference of the pixels, 0 to 255."""
    return max(ImageStat.Stat(ImageChops.difference(one, other)).mean)


@pytest.mark.parametrize("degrees", [0, 90, 180, 270, 2.5, 357])
def test_a_view_is_the_image_that_was_read(degrees: float) -> None:
    read = turned(page(), degrees, 10**7)
    shown = view(page(), read.image.size, read.transform, read.width)
    assert shown.size == read.image.size
    assert difference(shown, read.image) < 4  # the corners of a turned page have another colour


@pytest.mark.parametrize("degrees", [0, 90, 2.5])
def test_a_small_view_shows_the_same(degrees: float) -> None:
    read = turned(page(), degrees, 10**7)
    shown = view(page(), read.image.size, read.transform, 60)
    expected = read.image.resize(shown.size, Image.Resampling.LANCZOS)
    assert shown.width == 60
    assert difference(shown, expected) < 6


def test_the_page_may_be_rendered_in_another_size() -> None:
    read, large = turned(page(), 90, 10**7), page()
    large = PageImage(large.image.resize((900, 600)), 216.0, 0.0, (1 / 3, 0, 0, 0, 1 / 3, 0))
    assert difference(view(large, read.image.size, read.transform, read.width), read.image) < 4
