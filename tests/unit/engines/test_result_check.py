"""What an engine may return for a page, and what the error says of everything else."""

import math
import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from ocrqueue.blocks import Block, BlockKind, Cell
from ocrqueue.engines.result_check import checked
from ocrqueue.errors import PageError
from ocrqueue.pages import Line, PageText, PageWarning, Word
from ocrqueue.states import WarningCode

BOX: Any = ((0.0, 0.0), (9.0, 0.0), (9.0, 5.0), (0.0, 5.0))
NUMPY = np.array(BOX, np.float32)
WORD = Word("a", BOX, 0.5)
LINE = Line("a b", BOX, 0.5, words=(WORD,))
HEADING = Block(BlockKind.HEADING, BOX, (0,), "a b", level=1, size=12.5, is_bold=True)
TABLE = Block(BlockKind.TABLE, text="c", cells=(Cell(0, 0, text="c", box=BOX),))
PAGE = PageText([LINE], warnings=(PageWarning(WarningCode.CUT_OFF, "why"),), blocks=(HEADING, TABLE), unread=0.5)
GOOD = {
    "all fields": PAGE,
    "a blank page": PageText(),
    "a blank page in Markdown": PageText(markdown="\n"),
    "a picture": PageText(blocks=(Block(BlockKind.PICTURE, BOX),)),
    "no boxes": PageText(text="a", markdown="# a"),
    "corners beyond the page": PageText([replace(LINE, box=((-9, -9), (1e9, -9), (1e9, 5), (-9, 5)))]),
    "numbers of NumPy": PageText([Line("a", tuple(map(tuple, NUMPY)), np.float32(0.5))], unread=np.float32(0)),  # type: ignore[arg-type]
    "lists": PageText([replace(LINE, box=NUMPY.tolist(), words=[WORD])]),
    "rounded confidence": PageText([replace(LINE, confidence=1.00001), replace(LINE, confidence=-0.00001)]),
    "text of a PDF": PageText([replace(LINE, confidence=None, origin="text_layer")]),
    "an error": PageError("too_large", "it is too large"),
}


def page(**changes: Any) -> PageText:
    return PageText([replace(LINE, **changes)])


def block(**changes: Any) -> PageText:
    return replace(PAGE, blocks=(replace(HEADING, **changes),))


def cell(**changes: Any) -> PageText:
    return block(cells=(replace(TABLE.cells[0], **changes),))


BAD: list[tuple[object, str]] = [
    (None, "None, no PageText or PageError"),
    ("text", "'text', no PageText or PageError"),
    ({"text": "x"}, "{'text': 'x'}, no PageText or PageError"),
    (PageError("oops", "why"), "the error code 'oops', which is unknown"),
    (PageError([], "why"), "the error code [], which is unknown"),  # type: ignore[arg-type]
    (PageError("engine_error", KeyError("Z")), "a PageError whose message is KeyError('Z')"),  # type: ignore[arg-type]
    (PageError("engine_error", None), "a PageError whose message is None"),  # type: ignore[arg-type]
    (PageText("abc"), "lines that are no sequence of Line: 'abc'"),  # type: ignore[arg-type]
    (PageText(iter([LINE])), "lines that are no sequence of Line: "),  # type: ignore[arg-type]
    (PageText(["line"]), "lines that are no sequence of Line: ['line']"),  # type: ignore[list-item]
    (PageText(text=5), "a page whose text is 5"),  # type: ignore[arg-type]
    (PageText(markdown=b"#"), "a page whose Markdown is b'#'"),  # type: ignore[arg-type]
    (PageText(unread=2), "the share of unread lines 2, no number from 0 to 1"),
    (PageText(markdown="# a"), "Markdown or blocks with neither lines nor text: it must set PageText.text, too"),
    (PageText(blocks=(TABLE,)), "Markdown or blocks with neither lines nor text: it must set PageText.text, too"),
    (page(text=None), "a line whose text is None"),
    (page(box=BOX[:3]), "a box with 3 corners"),
    (page(box=None), "a box whose corners are no pairs of finite numbers: None"),
    (page(box=(*BOX[:3], (0.0, math.nan))), "a box whose corners are no pairs of finite numbers: "),
    (page(box=(*BOX[:3], (math.inf, 5.0))), "a box whose corners are no pairs of finite numbers: "),
    (page(box=(*BOX[:3], ("0", "5"))), "a box whose corners are no pairs of finite numbers: "),
    (page(box=(0, 0, 9, 5)), "a box whose corners are no pairs of finite numbers: (0, 0, 9, 5)"),
    (page(confidence=97.5), "a line with the confidence 97.5, no number from 0 to 1"),
    (page(confidence=-3), "a line with the confidence -3, no number from 0 to 1"),
    (page(confidence=math.nan), "a line with the confidence nan, no number from 0 to 1"),
    (page(confidence="high"), "a line with the confidence 'high', no number from 0 to 1"),
    (page(origin="mixed"), "a line with the origin 'mixed', which is unknown"),
    (page(words=("a",)), "words that are no sequence of Word: ('a',)"),
    (page(words=(replace(WORD, confidence=97.5),)), "a word with the confidence 97.5, no number from 0 to 1"),
    (page(words=(replace(WORD, box=BOX[:2]),)), "a box with 2 corners"),
    (PageText(warnings=(PageWarning("odd", "why"),)), "the warning code 'odd', which is unknown"),
    (PageText(warnings=(PageWarning("cut_off", 5),)), "a warning whose message is 5"),  # type: ignore[arg-type]
    (PageText(blocks=("a",)), "blocks that are no sequence of Block: ('a',)"),  # type: ignore[arg-type]
    (block(kind="heading"), "a block whose kind is 'heading'"),
    (block(lines=(1,)), "a block with the line 1"),
    (block(level=7), "a block with the level 7"),
    (block(depth=0), "a block with the depth 0"),
    (block(size=math.inf), "a block with the size inf"),
    (block(marker=1), "a block whose marker is 1"),
    (block(box=BOX[:1]), "a box with 1 corners"),
    (cell(text=None), "a cell whose text is None"),
    (cell(row=-1), "a cell in the row -1"),
    (cell(column_span=0), "a cell with the column span 0"),
    (cell(box=()), "a box with 0 corners"),
]


@pytest.mark.parametrize("what", GOOD)
def test_what_an_engine_may_return_is_unchanged(what: str) -> None:
    assert checked(GOOD[what], "rows") is GOOD[what]


@pytest.mark.parametrize(("found", "says"), BAD, ids=[f"{n}-{re.sub('[^a-z]+', '-', x[1])}" for n, x in enumerate(BAD)])
def test_anything_else_is_an_error_that_names_engine_and_field(found: object, says: str) -> None:
    error = checked(found, "rows")
    assert isinstance(error, PageError)
    assert error.code == "engine_error"
    assert error.message.startswith(f"the engine rows returned {says}")
