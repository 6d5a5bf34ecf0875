"""Lines of text with boxes like those of a printed page, without an image. Units are pixels."""

from dataclasses import replace
from math import cos, radians, sin
from string import ascii_letters

from ocrqueue.layout import arrange
from ocrqueue.pages import Line, PageText, Word

SIZE = 20.0  # height of a line
PITCH = 30.0  # from one line to the next
EM = 10.0  # width of a character


def box(left, top, right, bottom):
    """The quad of a rectangle."""
    return (left, top), (right, top), (right, bottom), (left, bottom)


def line(text, left, top, size=SIZE, width=None):
    return Line(text, box(left, top, left + (width or len(text) * EM * size / SIZE), top + size), 0.9)


def column(name, left, top, count, width=400):
    """Lines of running text that fill a column: "left 0 ..." and so on."""
    return [line(f"{name} {i} " + "lorem ipsum dolor sit", left, top + i * PITCH, width=width) for i in range(count)]


def with_words(given, *parts):
    """The line with words at `parts`: (text, left, right) of each word."""
    top, bottom = given.box[0][1], given.box[2][1]
    return replace(given, words=tuple(Word(text, box(left, top, right, bottom)) for text, left, right in parts))


def in_hebrew(text):
    """The text with a Hebrew letter for each Latin one."""
    return text.translate({ord(c): chr(0x5D0 + i % 22) for i, c in enumerate(ascii_letters)})


def leftwards(lines, width):
    """The lines in Hebrew letters, on a page of this width that is mirrored: its text runs to the left."""

    def mirrored(quad):
        return tuple((width - x, y) for x, y in (quad[1], quad[0], quad[3], quad[2]))

    return [
        replace(
            x,
            text=in_hebrew(x.text),
            box=mirrored(x.box),
            words=tuple(replace(w, text=in_hebrew(w.text), box=mirrored(w.box)) for w in x.words),
        )
        for x in lines
    ]


def turned(lines, degrees):
    """The lines and their words turned by `degrees` clockwise around the origin."""
    c, s = cos(radians(degrees)), sin(radians(degrees))

    def moved(quad):
        return tuple((px * c - py * s, px * s + py * c) for px, py in quad)

    return [replace(x, box=moved(x.box), words=tuple(replace(w, box=moved(w.box)) for w in x.words)) for x in lines]


def order(lines, image=None):
    """The texts of the lines in reading order. The lines are given to the layout in another order."""
    return [x.text for x in arrange(PageText(shuffled(lines)), image).lines]


def shuffled(lines):
    """The lines in rows across the whole page, as engines return them."""
    return sorted(lines, key=lambda x: (round(x.box[0][1] / 10), x.box[0][0]))


def texts(lines):
    return [x.text for x in lines]
