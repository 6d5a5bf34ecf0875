"""Program text: lines in a monospaced font, which keep their breaks, indents and empty lines."""

from collections.abc import Sequence
from itertools import pairwise
from statistics import median

from ocrqueue.blocks import BlockKind
from ocrqueue.geometry import union
from ocrqueue.structure.parts import Part
from ocrqueue.structure.texts import Text

_LEAST = 2  # lines
_MOST = 0.7  # share of the page's characters: more of them are a typewriter's, unless they look like a program
_SIGNS = 0.04  # share of the characters of a program that are such signs, at least
_OF_PROGRAMS = frozenset("{}()[];=<>_#$|\\/*&@")
_NEAR = 3.5  # times the size of type: a line so far below another may still be of one listing
_EMPTY = 1.6  # times the usual distance of lines: more is an empty line
_EMPTY_LINES = 2  # between two lines, at most
_KINDS = frozenset({BlockKind.PARAGRAPH, BlockKind.LIST_ITEM, BlockKind.HEADING, BlockKind.FORMULA, BlockKind.CAPTION})


def with_code(parts: Sequence[Part]) -> list[Part]:
    """The parts; lines in a monospaced font that follow each other are parts of their own, of program text."""
    free = [text for part in parts if part.kind in _KINDS for text in part.texts]
    listings = [group for group in _groups(free) if len(group) >= _LEAST and not _has_rows(group)]
    total = sum(len(text.text) for part in parts for text in part.texts)
    is_usual = sum(len(text.text) for group in listings for text in group) <= _MOST * total
    listings = [group for group in listings if is_usual or _looks_like_program(group)]
    taken = {text.index for group in listings for text in group}
    if not taken:
        return list(parts)
    kept: list[Part] = []
    for part in parts:
        texts = [text for text in part.texts if text.index not in taken]
        if len(texts) == len(part.texts):
            kept.append(part)
        elif texts:
            kept.append(Part(part.kind, texts, union(text.box for text in texts), part.region))
    return kept + [Part(BlockKind.CODE, group, union(text.box for text in group)) for group in listings]


def _groups(texts: Sequence[Text]) -> list[list[Text]]:
    """The lines in a monospaced font that follow each other on the page."""
    groups: list[list[Text]] = []
    for text in sorted(texts, key=lambda text: text.index):
        if not text.is_mono:
            continue
        last = groups[-1][-1] if groups else None
        if last and text.index == last.index + 1 and text.box[1] - last.box[3] < _NEAR * text.size:
            groups[-1].append(text)
        else:
            groups.append([text])
    return groups


def _has_rows(group: Sequence[Text]) -> bool:
    """Whether lines stand side by side, as the cells of a typewritten table do."""
    return any(text.box[1] < before.middle < text.box[3] for before, text in pairwise(group))


def _looks_like_program(group: Sequence[Text]) -> bool:
    """Whether a listing has many signs that programs are made of."""
    characters = "".join(text.text for text in group)
    return sum(char in _OF_PROGRAMS for char in characters) >= _SIGNS * len(characters)


def code_text(texts: Sequence[Text]) -> str:
    """The lines of a listing with the blanks and empty lines that its print shows."""
    words = [word for text in texts for word in text.words]
    width = max(median((word.box[2] - word.box[0]) / len(word.text) for word in words), 0.1)
    left = min(text.box[0] for text in texts)
    steps = [text.middle - before.middle for before, text in pairwise(texts)]
    usual = min((step for step in steps if step > 0), default=1.0)
    lines = [_line(texts[0], left, width)]
    for text, step in zip(texts[1:], steps, strict=True):
        if step > _EMPTY * usual:
            lines += [""] * min(round(step / usual) - 1, _EMPTY_LINES)
        lines.append(_line(text, left, width))
    return "\n".join(lines)


def _line(text: Text, left: float, width: float) -> str:
    """A line, its words at their places. `width` is that of a character."""
    if text.is_even:
        return " " * round((text.box[0] - left) / width) + text.text
    found, rest = "", text.text
    for word in text.words:
        space = rest[: len(rest) - len(rest.lstrip())]
        column = round((word.box[0] - left) / width)
        found += " " * max(column - len(found), len(space)) + word.text
        rest = rest.lstrip()[len(word.text) :]
    return found
