"""Numbers of lines in the margin, as in court papers and editions. They are left out as page numbers are."""

from collections.abc import Callable, Sequence
from itertools import pairwise
from statistics import median

from ocrqueue.blocks import BlockKind
from ocrqueue.geometry import union
from ocrqueue.structure.parts import Part
from ocrqueue.structure.texts import Text
from ocrqueue.structure.words import ends_sentence

_LEAST = 5  # numbers
_LONGEST = 4  # digits
_LEVEL = 0.6  # sizes of type: they are below each other but for so much, at their left or their right ends
_EVEN = 0.15  # of the usual distance of two of them: others differ by less
_NEXT = 2  # difference of the indexes of two lines with a number between them
_ALONE = 0.7  # share of the numbers beside which there is one line of text, or none: in tables there are cells


def line_numbers(texts: Sequence[Text]) -> list[Text]:
    """The numbers of lines on a page, from the top; none if it has no such numbers."""
    numbers = sorted(
        (text for text in texts if len(text.text) <= _LONGEST and text.text.isdecimal()), key=lambda text: text.middle
    )
    if len(numbers) < _LEAST:
        return []
    others = [text for text in texts if not (len(text.text) <= _LONGEST and text.text.isdecimal())]
    columns = (_column(numbers, end) for end in (0, 2))
    column = max(columns, key=len)
    return column if len(column) >= _LEAST and _count_up(column) and _is_margin(column, others) else []


def _column(numbers: Sequence[Text], end: int) -> list[Text]:
    """The numbers that are below each other at one end, which is an index of their boxes: 0 is left, 2 is right."""
    middle = median(number.box[end] for number in numbers)
    return [number for number in numbers if abs(number.box[end] - middle) < _LEVEL * number.size]


def _count_up(column: Sequence[Text]) -> bool:
    """Whether numbers below each other rise by equal steps, at equal distances."""
    steps = {int(below.text) - int(above.text) for above, below in pairwise(column)}
    distances = [below.middle - above.middle for above, below in pairwise(column)]
    usual = median(distances)
    return len(steps) == 1 and min(steps) > 0 and all(abs(d - usual) < _EVEN * usual for d in distances)


def _is_margin(column: Sequence[Text], others: Sequence[Text]) -> bool:
    """Whether all that stands beside numbers is on one side of them, and is mostly one line of text."""
    left, right = min(number.box[0] for number in column), max(number.box[2] for number in column)
    beside = [[text for text in others if text.box[1] < number.middle < text.box[3]] for number in column]
    every = [text for row in beside for text in row]
    if not (all(text.box[0] > right for text in every) or all(text.box[2] < left for text in every)):
        return False
    return bool(every) and sum(len(row) < 2 for row in beside) >= _ALONE * len(column)


def numbers_part(numbers: Sequence[Text]) -> Part:
    """Line numbers as a part that is left out of the flow, as running heads are."""
    return Part(BlockKind.PAGE_HEADER, list(numbers), union(text.box for text in numbers))


def without_items(parts: Sequence[Part], is_marked: Callable[[Text], bool]) -> list[Part]:
    """The parts of a page with line numbers, which the models take for the markers of list items.

    List items without markers are paragraphs; a sentence that goes on is in one of them. `is_marked` says whether a
    line begins with a marker.
    """
    found: list[Part] = []
    for part in sorted(parts, key=lambda part: part.first):
        if part.kind is BlockKind.LIST_ITEM and not any(map(is_marked, part.texts)):
            part.kind = BlockKind.PARAGRAPH
        if found and _goes_on(found[-1], part):
            found[-1].texts += part.texts
            found[-1].box = union([found[-1].box, part.box])
        else:
            found.append(part)
    return found


def _goes_on(before: Part, part: Part) -> bool:
    """Whether a paragraph begins inside of the sentence with which the one before it ends."""
    if not (before.kind is part.kind is BlockKind.PARAGRAPH and before.texts and part.texts):
        return False
    last, first = before.texts[-1], part.texts[0]
    is_next = first.index - last.index <= _NEXT
    return is_next and first.text[:1].islower() and not ends_sentence(last.text)
