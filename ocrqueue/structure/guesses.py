"""Corrections of known mistakes of the layout models: what they take for something else."""

from collections.abc import Sequence
from itertools import pairwise

from ocrqueue.blocks import BlockKind
from ocrqueue.geometry import union
from ocrqueue.structure.parts import Part
from ocrqueue.structure.texts import Text, rows_of
from ocrqueue.structure.words import ends_sentence, is_caption, is_long, note_mark

_DIVISIBLE = frozenset({BlockKind.PARAGRAPH, BlockKind.FORMULA, BlockKind.PAGE_HEADER, BlockKind.PAGE_FOOTER})
_CAPTION_LENGTH = 300  # characters of a caption, at most
_CAPTION_GAP = 3.0  # sizes of type: white between a caption and its table or picture, at most
_SHORT = 10.0  # sizes of type: lines of running text are longer
_WITH_CELLS = 0.3  # share of the rows of a paragraph that have lines side by side, from which on all are rows of cells
_GOING_ON = 0.2  # share of the rows that go on from the one before, above which they are running text
_NARROW = 14.0  # sizes of type: lines of running text are longer also in narrow columns
_FULL = 0.8  # share of the width of a paragraph: lines of running text reach so far
_HYPHENS = frozenset("-\u2010\u00ad⸗")
_APART = 2.0  # sizes of type: columns begin and end at least so far apart


def settled(parts: Sequence[Part]) -> list[Part]:
    """The parts, with the kinds of notes and captions corrected, and joined columns divided."""
    whole = [piece for part in parts for piece in _divided(part)]
    things = [part for part in whole if part.kind in (BlockKind.TABLE, BlockKind.PICTURE)]
    for part in whole:
        if part.kind is BlockKind.PAGE_FOOTER and _is_note(_text(part)):
            part.kind = BlockKind.FOOTNOTE
        elif part.kind is BlockKind.PARAGRAPH and _is_caption(part, things):
            part.kind = BlockKind.CAPTION
        if part.kind is BlockKind.FOOTNOTE and (match := note_mark(_text(part))):
            part.marker = match[0].strip()
    return whole


def lines_apart(texts: Sequence[Text]) -> list[str]:
    """The lines of a paragraph that stay lines, as those of an address or a receipt; [] where they are running text.

    They have something beside them, or each begins anew and few fill the width. What stands side by side is one line.
    """
    rows = rows_of(texts)
    if len(rows) < 2 or not (_are_of_cells(rows) or _begin_anew(rows)):
        return []
    return ["  ".join(text.text for text in row) for row in rows]


def _are_of_cells(rows: Sequence[Sequence[Text]]) -> bool:
    """Whether many rows consist of lines side by side, as the names and amounts of a receipt do."""
    return sum(len(row) > 1 for row in rows) >= _WITH_CELLS * len(rows)


def _begin_anew(rows: Sequence[Sequence[Text]]) -> bool:
    """Whether hardly a row goes on where the one before it ends, and all are short, or few fill the width."""
    small = sum(row[0].text[:1].islower() or row[-1].text[-1:] in _HYPHENS for row in rows)
    if small > _GOING_ON * len(rows):
        return False
    left, right = min(row[0].box[0] for row in rows), max(row[-1].box[2] for row in rows)
    if all(row[-1].box[2] - row[0].box[0] < _NARROW * row[0].size for row in rows):
        return True
    full = sum(row[-1].box[2] - left >= _FULL * (right - left) for row in rows[:-1])
    return 2 * full < len(rows) - 1


def _text(part: Part) -> str:
    return " ".join(text.text for text in part.texts)


def _is_note(text: str) -> bool:
    """Whether the text of a foot is a note: it begins with a mark and is a sentence."""
    return is_long(text) and note_mark(text) is not None and ends_sentence(text)


def _is_caption(part: Part, things: Sequence[Part]) -> bool:
    """Whether a paragraph is the caption of a table or picture directly above or below it."""
    text = _text(part)
    if len(text) > _CAPTION_LENGTH or not is_caption(text):
        return False
    for thing in things:
        shared = min(part.box[2], thing.box[2]) - max(part.box[0], thing.box[0])
        gap = max(thing.box[1] - part.box[3], part.box[1] - thing.box[3])
        if shared > 0 and gap < _CAPTION_GAP * part.size:
            return True
    return False


def _are_of_rows(part: Part) -> bool:
    """Whether all lines of a part are short, and no two of them follow each other in the reading order."""
    return all(text.box[2] - text.box[0] < _SHORT * text.size for text in part.texts) and all(
        after.index != before.index + 1 for before, after in pairwise(part.texts)
    )


def _divided(part: Part) -> list[Part]:
    """A paragraph, divided where its lines jump in the reading order to a column with other edges.

    A running head or foot is divided at each jump. So are short lines one above the other, each of which is read with
    what is beside it: they are of different rows, as in a receipt.
    """
    if part.kind not in _DIVISIBLE or len(part.texts) < 2:
        return [part]
    is_loose = part.kind in (BlockKind.PAGE_HEADER, BlockKind.PAGE_FOOTER) or _are_of_rows(part)
    groups = [[part.texts[0]]]
    for text in part.texts[1:]:
        last = groups[-1]
        left, right = min(t.box[0] for t in last), max(t.box[2] for t in last)
        apart = _APART * text.size
        jumps = text.index != last[-1].index + 1
        is_apart = abs(text.box[0] - left) > apart and abs(text.box[2] - right) > apart
        if jumps and (is_loose or is_apart):
            groups.append([text])
        else:
            last.append(text)
    if len(groups) == 1:
        return [part]
    return [Part(part.kind, group, union(text.box for text in group), part.region) for group in groups]
