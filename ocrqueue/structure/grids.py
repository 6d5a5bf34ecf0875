"""The grid that the layout models see in a table, as cells: cells of several lines, spans and header rows.

The models tell where the lines between rows and columns are, ruled or not, and no more than that.
"""

from bisect import bisect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import inf
from statistics import fmean

from ocrqueue.geometry import Rect, union
from ocrqueue.structure.models import PAIRS, Region, Slot
from ocrqueue.structure.texts import Piece, Text

# "Size" is the size of type of a line.
_ONE_PHRASE = 0.6  # sizes: white between two words of one phrase, less than that
_GAP = 1.0  # sizes: white in all rows that parts two columns
_ROWS_BESIDE = 2  # lines with words on each side of such a gap, at least
_NEARER = 0.8  # times the distance to another row: a row so near continues the cells of the row above it
_NEXT_LINE = 2.0  # sizes: the next line of a cell is so near, at most
_REACHES = 0.25  # share of a word's width on the other side of a grid line from which on it is in both columns
_CENTRED = 0.1  # share of the width of a span by which the middle of a phrase may miss the middle of the span
_WHOLE_ROW = 3  # columns of a table, at least, in which a single cell fills a row


@dataclass(frozen=True, slots=True)
class _Phrase:
    """Words that belong together, and the columns in which they are."""

    box: Rect
    first: int
    last: int


def grid_slots(region: Region, texts: Sequence[Text]) -> list[Slot]:
    """The cells of a region's grid. Empty without a grid or without text."""
    if not texts or not (region.rows or region.columns):
        return []
    left, top, right, bottom = union([region.box, *(text.box for text in texts)])
    columns = [left, *_with_gaps([x for x in region.columns if left < x < right], texts), right]
    rows = _rows(texts, [y for y in region.rows if top < y < bottom], columns[1:-1])
    heights = [top, *((above[-1].box[3] + below[0].box[1]) / 2 for above, below in pairwise(rows)), bottom]
    words = [_words(row, columns[1:-1]) for row in rows]
    filled = [set(row) for row in words]
    below = filled[1] if len(rows) > 2 and 0 in filled[0] and 0 not in filled[1] else set()
    spans = [_spans(row, columns, below if i == 0 else set()) for i, row in enumerate(rows)]
    headers = 0 if region.kind == PAIRS else _headers(spans, filled)
    if len(columns) > _WHOLE_ROW:
        for i in _titles(rows, filled, headers):
            spans[i] = [(0, len(columns) - 2)]
    slots: list[Slot] = []
    taken: set[tuple[int, int]] = set()
    for i, row_spans in enumerate(spans):
        for first, last in row_spans:
            if (i, first) in taken:
                continue
            is_header = i < headers
            down = _down(spans, words, i, first, headers) if is_header and first == last else 1
            taken.update((i + k, first) for k in range(down))
            box = columns[first], heights[i], columns[last + 1], heights[i + down]
            slots.append(Slot(i, first, down, last - first + 1, box, is_header))
    return slots


def _with_gaps(lines: Sequence[float], texts: Sequence[Text]) -> list[float]:
    """The lines between columns, and those that the models miss: where all rows leave a gap, and words on both sides.

    A gap that is wider than the white between two words parts two columns.
    """
    words = sorted((word for text in texts if not text.is_even for word in text.words), key=lambda word: word.box[0])
    size = max((text.size for text in texts), default=0.0)
    found, right = list(lines), -inf
    for word in words:
        if word.box[0] - right >= _GAP * size and right > -inf and not any(right < x < word.box[0] for x in lines):
            gap = (right + word.box[0]) / 2
            low, high = (
                max([x for x in lines if x < gap], default=-inf),
                min([x for x in lines if x > gap], default=inf),
            )
            sides = [(low, gap), (gap, high)]
            if all(sum(_has_word(text, *side) for text in texts) >= _ROWS_BESIDE for side in sides):
                found.append(gap)
        right = max(right, word.box[2])
    return sorted(found)


def _has_word(text: Text, left: float, right: float) -> bool:
    return any(left < _middle(word) < right for word in text.words)


def _rows(texts: Sequence[Text], lines: Sequence[float], columns: Sequence[float]) -> list[list[Text]]:
    """The lines of text of each row, from the top. Rows without text vanish; the second line of a cell is no row."""
    found: dict[int, list[Text]] = {}
    for text in sorted(texts, key=lambda text: text.middle):
        found.setdefault(bisect(lines, text.middle), []).append(text)
    rows = [found[key] for key in sorted(found)]
    joined: list[list[Text]] = []
    for i, row in enumerate(rows):
        if joined and _continues(rows, i, columns):
            joined[-1] = joined[-1] + row
        else:
            joined.append(row)
    return joined


def _continues(rows: Sequence[Sequence[Text]], i: int, columns: Sequence[float]) -> bool:
    """Whether a row holds second lines of cells above it: it is nearer than other rows, and leaves cells empty."""
    own, above = _filled(rows[i], columns), _filled(rows[i - 1], columns)
    step = _height(rows[i]) - _height(rows[i - 1])
    if own == {0} and 0 in above and len(above) > 1 and step < _NEXT_LINE * rows[i][0].size:
        begin = min(rows[i - 1], key=lambda text: text.box[0])
        if begin.text[:1].isupper() and rows[i][0].text[:1].islower():
            return True  # a name goes on
    if not own < above or (0 in own and 2 * len(own) > len(above)) or _has_numbers(rows[i], columns):
        return False
    others = [_height(b) - _height(a) for k, (a, b) in enumerate(pairwise(rows), 1) if k in (i - 1, i + 1)]
    return bool(others) and step < _NEARER * max(others)


def _has_numbers(row: Sequence[Text], columns: Sequence[float]) -> bool:
    """Whether a cell of a row has no letters."""
    return not all(any(map(str.isalpha, cell)) for cell in _words(row, columns).values())


def _words(row: Sequence[Text], columns: Sequence[float]) -> dict[int, str]:
    """The text of each column in which a row has words. `columns` are the lines between them."""
    cells: dict[int, str] = {}
    for text in row:
        for word in text.words:
            column = bisect(columns, _middle(word))
            cells[column] = cells.get(column, "") + word.text
    return cells


def _filled(row: Sequence[Text], columns: Sequence[float]) -> set[int]:
    """The columns in which a row has words. `columns` are the lines between them."""
    return {bisect(columns, _middle(word)) for text in row for word in text.words}


def _height(row: Sequence[Text]) -> float:
    return fmean(text.middle for text in row)


def _middle(word: Piece) -> float:
    return (word.box[0] + word.box[2]) / 2


def _spans(row: Sequence[Text], columns: Sequence[float], below: set[int]) -> list[tuple[int, int]]:
    """The cells of a row as first and last column each. A phrase that crosses a line of the grid spans columns.

    `below` are the columns with headers in a second header row: one that is empty in this row belongs to the phrase
    next to it.
    """
    count = len(columns) - 1
    phrases = [phrase for text in row for phrase in _phrases(text, columns[1:-1])]
    filled = {column for phrase in phrases for column in range(phrase.first, phrase.last + 1)}
    owner = list(range(count))  # by column: the first column of its cell
    wide = [_extended(phrase, phrases, columns) for phrase in phrases if phrase.first < phrase.last]
    covered = filled | {column for first, last in wide for column in range(first, last + 1)}
    for column in sorted(below - covered):
        near = min(phrases, key=lambda phrase: _away(phrase, columns[column], columns[column + 1]))
        wide.append((min(near.first, column), max(near.last, column)))
    for first, last in wide:
        owner[first : last + 1] = [owner[first]] * (last - first + 1)
    starts = sorted(set(owner))
    return [(start, end - 1) for start, end in pairwise([*starts, count])]


def _titles(rows: Sequence[Sequence[Text]], filled: Sequence[set[int]], headers: int) -> list[int]:
    """The rows with a single cell, at the left, that is the title of the rows below it.

    The body begins with such a title, or it is set in bold. Else a single cell at the left is a row without values.
    """
    single = [i for i, columns in enumerate(filled) if columns == {0}]
    if single and single[0] <= headers:
        return single
    return [i for i in single if all(text.is_bold for text in rows[i])]


def _away(phrase: _Phrase, left: float, right: float) -> float:
    """The distance of a phrase from a column, in points."""
    return max(left - phrase.box[2], phrase.box[0] - right, 0.0)


def _phrases(text: Text, lines: Sequence[float]) -> list[_Phrase]:
    """The words of a line, joined where the white between them is narrow. Words without known places stay alone."""
    groups: list[list[Piece]] = []
    for word in text.words:
        if groups and not text.is_even and word.box[0] - groups[-1][-1].box[2] < _ONE_PHRASE * text.size:
            groups[-1].append(word)
        else:
            groups.append([word])
    return [_Phrase(union(word.box for word in group), *_columns_of(group, text, lines)) for group in groups]


def _columns_of(words: Sequence[Piece], text: Text, lines: Sequence[float]) -> tuple[int, int]:
    """The first and the last column of a phrase."""
    if text.is_even:
        column = bisect(lines, _middle(words[0]))
        return column, column
    reach = [_REACHES * (word.box[2] - word.box[0]) for word in (words[0], words[-1])]
    first, last = bisect(lines, words[0].box[0] + reach[0]), bisect(lines, words[-1].box[2] - reach[1])
    return min(first, last), max(first, last)


def _extended(phrase: _Phrase, phrases: Sequence[_Phrase], columns: Sequence[float]) -> tuple[int, int]:
    """The columns of a spanning phrase, with the empty ones beside it if the phrase then stands in the middle."""
    middle = (phrase.box[0] + phrase.box[2]) / 2
    wide = [(other.box[0] + other.box[2]) / 2 for other in phrases if other.first < other.last]
    least = max(((x + middle) / 2 for x in wide if x < middle), default=columns[0])  # halfway to another such phrase
    most = min(((x + middle) / 2 for x in wide if x > middle), default=columns[-1])
    others = {c for other in phrases if other is not phrase for c in range(other.first, other.last + 1)}
    low, high = phrase.first, phrase.last
    lowest = 1 if len(phrases) > 1 else 0  # the first column has the names of the rows
    while low > lowest and low - 1 not in others and (columns[low - 1] + columns[low]) / 2 > least:
        low -= 1
    while high < len(columns) - 2 and high + 1 not in others and (columns[high + 1] + columns[high + 2]) / 2 < most:
        high += 1

    def miss(first: int, last: int) -> float:
        return abs((columns[first] + columns[last + 1]) / 2 - middle) / (columns[last + 1] - columns[first])

    ranges = [(a, b) for a in range(low, phrase.first + 1) for b in range(phrase.last, high + 1)]
    centred = [r for r in ranges if miss(*r) <= _CENTRED]
    return max(centred, key=lambda r: r[1] - r[0], default=(phrase.first, phrase.last))


def _headers(spans: Sequence[Sequence[tuple[int, int]]], filled: Sequence[set[int]]) -> int:
    """The number of header rows: the first, and each that divides what cells of the row above it span."""
    count = 1
    while count < len(spans) - 1 and 1 < len(spans[count - 1]) < len(spans[count]):
        wide = [set(range(first, last + 1)) for first, last in spans[count - 1] if first < last]
        if not any(len(columns & filled[count]) > 1 for columns in wide):
            break
        count += 1
    return count


def _down(
    spans: Sequence[Sequence[tuple[int, int]]], words: Sequence[Mapping[int, str]], row: int, column: int, headers: int
) -> int:
    """The rows that a header of one column spans: those header rows below it in which it goes on, or nothing is.

    A number below it, such as a year, is a header of its own.
    """
    down = 1
    while row + down < headers and (column, column) in spans[row + down]:
        below = words[row + down].get(column)
        if below and not any(map(str.isalpha, below)):
            break
        down += 1
    return down if any(column in words[row + i] for i in range(down)) else 1
