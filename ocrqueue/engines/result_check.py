"""Checks what an engine returned for a page. An engine's mistake fails that page alone, and the error names it."""

import sys
from collections.abc import Container, Sequence
from math import isfinite
from typing import Any

from ocrqueue.blocks import Block, BlockKind, Cell
from ocrqueue.errors import CODES, PageError, shortened
from ocrqueue.pages import Line, PageText, PageWarning, Word
from ocrqueue.states import Origin, WarningCode

_ORIGINS = (Origin.OCR, Origin.TEXT_LAYER)
_WARNINGS = tuple(WarningCode)
_ROUNDING = 4e-5  # by which a share may be below 0 or above 1, as sums of float32 are; results round it away


class _Wrong(Exception):
    """What an engine should not have returned, to be read after "the engine NAME returned"."""


def checked(found: object, engine: str) -> PageText | PageError:
    """What the engine with this name returned for a page, if a result can hold it; else a PageError `engine_error`."""
    try:
        if isinstance(found, PageText):
            _check_page(found)
            return found
        if isinstance(found, PageError):
            _check_known(found.code, CODES, "the error code")
            _check_type(found.message, str, "a PageError whose message is")
            return found
    except _Wrong as e:
        return PageError("engine_error", f"the engine {engine} returned {e}")
    return PageError("engine_error", f"the engine {engine} returned {shortened(found)}, no PageText or PageError")


def _check_page(page: PageText) -> None:
    _check_all(page.lines, Line, "lines")
    for line in page.lines:
        _check_part(line, "a line")
        _check_known(line.origin, _ORIGINS, "a line with the origin")
        _check_all(line.words, Word, "words")
        for word in line.words:
            _check_part(word, "a word")
    _check_type(page.text, str | None, "a page whose text is")
    _check_type(page.markdown, str | None, "a page whose Markdown is")
    _check_all(page.warnings, PageWarning, "warnings")
    for warning in page.warnings:
        _check_known(warning.code, _WARNINGS, "the warning code")
        _check_type(warning.message, str, "a warning whose message is")
    if not _is_share(page.unread):
        raise _Wrong(f"the share of unread lines {shortened(page.unread)}, no number from 0 to 1")
    if page.blocks is not None:
        _check_all(page.blocks, Block, "blocks")
        for block in page.blocks:
            _check_block(block, len(page.lines))
    others = [page.markdown or "", *(block.text for block in page.blocks or ())]
    if page.text is None and not page.lines and any(map(str.strip, others)):
        raise _Wrong("Markdown or blocks with neither lines nor text: it must set PageText.text, too")


def _check_part(part: Line | Word, what: str) -> None:
    _check_type(part.text, str, f"{what} whose text is")
    _check_box(part.box)
    if part.confidence is not None and not _is_share(part.confidence):
        raise _Wrong(f"{what} with the confidence {shortened(part.confidence)}, no number from 0 to 1")


def _check_block(block: Block, lines: int) -> None:
    """`lines` is the number of lines of the page."""
    _check_type(block.kind, BlockKind, "a block whose kind is")
    _check_type(block.text, str, "a block whose text is")
    _check_type(block.marker, str | None, "a block whose marker is")
    _check_type(block.continues, bool, "a block whose `continues` is")
    _check_type(block.is_bold, bool | None, "a block whose `is_bold` is")
    _check_all(block.lines, int, "lines of a block")
    for index in block.lines:
        _check_whole(index, 0, "a block with the line", lines - 1)
    if block.level is not None:
        _check_whole(block.level, 1, "a block with the level", 6)
    if block.depth is not None:
        _check_whole(block.depth, 1, "a block with the depth")
    if block.size is not None and not _is_between(block.size, 0, sys.float_info.max):
        raise _Wrong(f"a block with the size {shortened(block.size)}")
    if block.box is not None:
        _check_box(block.box)
    _check_all(block.cells, Cell, "cells")
    for cell in block.cells:
        _check_cell(cell)


def _check_cell(cell: Cell) -> None:
    _check_type(cell.text, str, "a cell whose text is")
    _check_type(cell.is_header, bool, "a cell whose `is_header` is")
    _check_whole(cell.row, 0, "a cell in the row")
    _check_whole(cell.column, 0, "a cell in the column")
    _check_whole(cell.row_span, 1, "a cell with the row span")
    _check_whole(cell.column_span, 1, "a cell with the column span")
    if cell.box is not None:
        _check_box(cell.box)


def _check_box(box: Any) -> None:
    """Numbers of NumPy are numbers, too."""
    try:
        if len(box) != 4:
            raise _Wrong(f"a box with {len(box)} corners")
        (ax, ay), (bx, by), (cx, cy), (dx, dy) = box
        is_finite = all(map(isfinite, (ax, ay, bx, by, cx, cy, dx, dy)))
    except (TypeError, ValueError, OverflowError):
        is_finite = False
    if not is_finite:
        raise _Wrong(f"a box whose corners are no pairs of finite numbers: {shortened(box)}")


def _is_share(value: object) -> bool:
    return _is_between(value, -_ROUNDING, 1 + _ROUNDING)


def _is_between(value: Any, least: float, most: float) -> bool:
    try:
        return bool(least <= value <= most)
    except (TypeError, ValueError):
        return False


def _check_known(value: object, known: Container[str], what: str) -> None:
    if not isinstance(value, str) or value not in known:
        raise _Wrong(f"{what} {shortened(value)}, which is unknown")


def _check_whole(value: object, least: int, what: str, most: float = float("inf")) -> None:
    if not isinstance(value, int) or not least <= value <= most:
        raise _Wrong(f"{what} {shortened(value)}")


def _check_type(value: object, kind: Any, what: str) -> None:
    """`kind` is a type or a union of types."""
    if not isinstance(value, kind):
        raise _Wrong(f"{what} {shortened(value)}")


def _check_all(values: object, kind: type, what: str) -> None:
    """`values` are to be a sequence of objects of this type."""
    if not isinstance(values, Sequence) or not all(isinstance(value, kind) for value in values):
        raise _Wrong(f"{what} that are no sequence of {kind.__name__}: {shortened(values)}")
