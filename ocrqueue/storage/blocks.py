"""Blocks as JSON in the pages of a result, and back."""

from collections.abc import Iterable, Mapping
from typing import Any

from ocrqueue.blocks import Block, BlockKind, Cell
from ocrqueue.geometry import Quad
from ocrqueue.storage.values import clean_text, quad_of, rounded, rounded_corners


def block_json(block: Block) -> dict[str, Any]:
    """A block as an object. `kind`, `box`, `lines` and `text` are always there, other fields where they are known."""
    shown: dict[str, Any] = {
        "kind": block.kind.value,
        "box": _box(block.box),
        "lines": list(block.lines),
        "text": clean_text(block.text),
    }
    others = {
        "level": block.level,
        "depth": block.depth,
        "marker": None if block.marker is None else clean_text(block.marker),
        "cells": [_cell(cell) for cell in block.cells] or None,
        "continues": block.continues or None,
        "size": rounded(block.size, 2),
        "bold": block.is_bold,
    }
    return shown | {name: value for name, value in others.items() if value is not None}


def block_of(value: Mapping[str, Any]) -> Block:
    """The block that `block_json` wrote."""
    return Block(
        kind=BlockKind(value["kind"]),
        box=_quad(value["box"]),
        lines=tuple(value["lines"]),
        text=value["text"],
        level=value.get("level"),
        depth=value.get("depth"),
        marker=value.get("marker"),
        cells=tuple(_cell_of(cell) for cell in value.get("cells", ())),
        continues=value.get("continues", False),
        size=value.get("size"),
        is_bold=value.get("bold"),
    )


def _cell(cell: Cell) -> dict[str, Any]:
    return {
        "row": cell.row,
        "column": cell.column,
        "row_span": cell.row_span,
        "column_span": cell.column_span,
        "header": cell.is_header,
        "text": clean_text(cell.text),
        "box": _box(cell.box),
    }


def _cell_of(value: Mapping[str, Any]) -> Cell:
    return Cell(
        value["row"],
        value["column"],
        value["row_span"],
        value["column_span"],
        value["header"],
        value["text"],
        _quad(value["box"]),
    )


def _box(box: Quad | None) -> list[list[float]] | None:
    return None if box is None else rounded_corners(box)


def _quad(box: Iterable[Iterable[float]] | None) -> Quad | None:
    return None if box is None else quad_of(box)
