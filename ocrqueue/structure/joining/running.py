"""Running heads, feet and page numbers: what comes again on other pages, and what a page itself takes for one."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher

from ocrqueue.blocks import BlockKind
from ocrqueue.structure.joining.survey import RUNNING, Strip, Survey
from ocrqueue.structure.words import (
    are_line_numbers,
    ends_sentence,
    is_caption,
    is_long,
    is_needed,
    is_of_the_copy,
    is_page_number,
    note_mark,
)

_LEVEL = 0.015  # share of the page's height: strips of two pages at most so far apart are at one height
_ALIKE = 0.85  # share of the characters: texts that are the same but for errors of reading
_SHORTEST = 6  # letters and digits of a text that is only alike
_NEAR_PAGES = 2  # pages before and after, on which texts that are only alike are looked for
_LARGER = 1.15  # times the size of the text: larger type is a heading ...
_LARGER_HEAD = 1.35  # ... also where the page takes it for a running head, and sizes are less exact
_SMALLER = 0.95  # times the size of the text: smaller type at the end of a page is a running head
_ADDRESS = 3  # lines: a head of so many lines on one page alone is an address or the like
_FAR = 0.25  # share of the page's height: what is further from the end of the page is no running head
_EDGE = 0.1  # share of the page's height in which a page number may stand alone
_WITHOUT_PLACE = 3  # pages on which a text comes again, if its places are not known
_DIGITS = re.compile(r"\d+")


@dataclass(frozen=True, slots=True)
class _Seen:
    """A strip on its page."""

    page: int
    strip: Strip
    numbers: tuple[int, ...]


def running_kinds(survey: Survey) -> dict[int, dict[int, BlockKind]]:
    """New kinds of blocks, by page and index: running heads and feet, and what a page wrongly took for one.

    A document of nothing else, such as one number on each page, has no running heads.
    """
    repeats = _Repeats(survey.strips)
    body = survey.body_size
    found = {
        page: _of_page(page, strips, repeats, _Type(body, survey.is_read), page in survey.bare)
        for page, strips in survey.strips.items()
    }
    strips = [(page, strip) for page, all_strips in survey.strips.items() for strip in all_strips]
    if sum(found[page].get(strip.index, strip.kind) in RUNNING for page, strip in strips) < survey.blocks:
        return found
    own: dict[int, dict[int, BlockKind]] = {page: {} for page in survey.strips}
    for page, strip in strips:
        if strip.kind in RUNNING:
            own[page][strip.index] = BlockKind.PARAGRAPH
    return own


@dataclass(frozen=True, slots=True)
class _Type:
    """The type of the document's text."""

    size: float | None  # in points
    is_read: bool  # whether sizes are those of boxes, which are less exact

    def is_larger(self, strip: Strip, ratio: float) -> bool:
        """Whether a strip is in type that is larger by this ratio. Sizes that are not known count as equal."""
        return bool(self.size and strip.size and strip.size > ratio * self.size)


def _of_page(
    page: int, strips: Iterable[Strip], repeats: "_Repeats", body: _Type, is_bare: bool
) -> dict[int, BlockKind]:
    """The new kinds on one page. On a page that `is_bare`, its own guesses count for nothing."""
    found: dict[int, BlockKind] = {}
    for is_top in (True, False):
        running = BlockKind.PAGE_HEADER if is_top else BlockKind.PAGE_FOOTER
        at_end = sorted((s for s in strips if s.is_top is is_top), key=lambda strip: strip.depth)
        comes_again = {strip.index: repeats.has(page, strip) for strip in at_end}
        guesses = [] if is_bare else [s for s in at_end if s.kind in RUNNING]
        alone = _Alone([s for s in guesses if not comes_again[s.index]], running, body)
        is_outermost = True  # all strips that are nearer to the end of the page are running heads
        for strip in at_end:
            if strip in guesses:
                kind = running if comes_again[strip.index] else alone.kind(strip)
                if kind is running and is_needed(strip.text) and repeats.is_first(page, strip):
                    kind = BlockKind.PARAGRAPH
            else:
                guess = replace(strip, kind=BlockKind.PARAGRAPH) if is_bare and strip.kind in RUNNING else strip
                is_running = is_outermost and _is_running(guess, comes_again[strip.index], body)
                kind = running if is_running else guess.kind
            is_outermost = is_outermost and kind in RUNNING
            if kind != strip.kind:
                found[strip.index] = kind
    return found


class _Alone:
    """What blocks are that their page takes for running heads, or feet, and that are on no other page."""

    def __init__(self, strips: Sequence[Strip], running: BlockKind, body: _Type) -> None:
        """`strips` are all of them at one end of a page. They are judged together, as an address stands in parts."""
        self._running, self._body = running, body
        self._are_needed = any(is_needed(strip.text) for strip in strips)
        # a signature or a title has none of these
        self._has_sign = any(_DIGITS.search(strip.text) or is_of_the_copy(strip.text) for strip in strips)

    def kind(self, strip: Strip) -> BlockKind:
        """The kind of one of the blocks."""
        if is_page_number(strip.text) or is_of_the_copy(strip.text) or are_line_numbers(strip.text):
            return self._running
        if self._body.is_larger(strip, _LARGER_HEAD if self._body.is_read else _LARGER):
            return BlockKind.HEADING
        if is_long(strip.text) and not strip.is_top and note_mark(strip.text):
            return BlockKind.FOOTNOTE
        if is_long(strip.text) and ends_sentence(strip.text):
            return BlockKind.PARAGRAPH
        if strip.depth > _FAR or (strip.is_top and strip.lines >= _ADDRESS) or self._are_needed:
            return BlockKind.PARAGRAPH
        is_smaller = strip.size and self._body.size and strip.size < _SMALLER * self._body.size
        return self._running if self._has_sign or is_smaller else BlockKind.PARAGRAPH


def _is_running(strip: Strip, comes_again: bool, body: _Type) -> bool:
    """Whether a block is a running head that its page does not take for one."""
    if strip.kind in (BlockKind.TITLE, BlockKind.CAPTION) or is_caption(strip.text):
        return False
    if body.is_larger(strip, _LARGER):
        return False
    if strip.depth <= _EDGE and strip.lines == 1 and strip.middle is not None:
        if is_page_number(strip.text):
            return comes_again or strip.kind == BlockKind.PARAGRAPH
        if is_of_the_copy(strip.text) and not ends_sentence(strip.text):
            return True
    return comes_again


class _Repeats:
    """Finds strips that come again on other pages, at the same height."""

    def __init__(self, strips: Mapping[int, Iterable[Strip]]) -> None:
        self._same: dict[tuple[bool, str], list[_Seen]] = {}
        self._on_page: dict[int, list[_Seen]] = {}
        for page, found in strips.items():
            for strip in found:
                seen = _Seen(page, strip, _numbers(strip.text))
                self._same.setdefault((strip.is_top, _key(strip.text)), []).append(seen)
                self._on_page.setdefault(page, []).append(seen)
        self._again = {
            (seen.page, seen.strip.index)
            for group in self._same.values()
            for seen in group
            if _comes_again(seen, group)
        }

    def has(self, page: int, strip: Strip) -> bool:
        """Whether a strip is also on another page, with other page numbers or a little misread."""
        if (page, strip.index) in self._again:
            return True
        if strip.middle is None or len(_key(strip.text)) < _SHORTEST:
            return False
        near = [other for step in range(1, _NEAR_PAGES + 1) for other in (page - step, page + step)]
        mine = _Seen(page, strip, _numbers(strip.text))
        return any(_are_alike(mine, seen) for other in near for seen in self._on_page.get(other, ()))

    def is_first(self, page: int, strip: Strip) -> bool:
        """Whether no page before has a strip with the same text at its end."""
        return page == min(seen.page for seen in self._same[strip.is_top, _key(strip.text)])


def _key(text: str) -> str:
    """A text without its numbers, case, blanks and marks."""
    return re.sub(r"[^\w#]|_", "", _DIGITS.sub("#", text.casefold()))


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(digits[:9]) for digits in _DIGITS.findall(text))


def _comes_again(seen: _Seen, group: list[_Seen]) -> bool:
    """Whether one of a group with the same text is on another page, at the same height and with fitting numbers."""
    if seen.strip.middle is None:
        return len({other.page for other in group if _fit(seen, other)}) >= _WITHOUT_PLACE
    return any(
        other.page != seen.page
        and other.strip.middle is not None
        and abs(other.strip.middle - seen.strip.middle) <= _LEVEL
        and _fit(seen, other)
        for other in group
    )


def _fit(one: _Seen, other: _Seen) -> bool:
    """Whether the numbers in two texts are the same, or count the pages."""
    step = other.page - one.page
    return all(b - a in (0, step) for a, b in zip(one.numbers, other.numbers, strict=False))


def _are_alike(mine: _Seen, seen: _Seen) -> bool:
    one, other = mine.strip, seen.strip
    if other.middle is None or one.middle is None or one.is_top != other.is_top:
        return False
    if abs(one.middle - other.middle) > _LEVEL or not _fit(mine, seen):
        return False
    matcher = SequenceMatcher(None, _key(one.text), _key(other.text), autojunk=False)
    return matcher.real_quick_ratio() >= _ALIKE and matcher.quick_ratio() >= _ALIKE and matcher.ratio() >= _ALIKE
