"""Takes the invisible text of an earlier OCR (ISO 32000-1, 9.3.6) out of content streams: a page has one text."""

import re
import warnings
from collections.abc import Container, Iterable, Iterator
from typing import Any

_INVISIBLE = 3  # text rendering mode
_MAY_HAVE = re.compile(rb"\b3(?:\.0*)?\s+Tr\b")
_LARGEST = 1 << 22  # bytes of a content stream that is examined: its operators take 50 times the memory
_SHOWING = ("Tj", "TJ", "'", '"')
_OPERATORS = frozenset(  # ISO 32000-1, annex A, without those of inline images
    "b B b* B* BDC BMC BT BX c cm CS cs d d0 d1 Do DP EMC ET EX f F f* G g gs h i j J K k l m M MP n q Q re RG rg ri "
    "s S SC sc SCN scn sh T* Tc Td TD Tf Tj TJ TL Tm Tr Ts Tw Tz v w W W* y ' \"".split()
)
_Instructions = list[Any]


def without_invisible_text(content: bytes, type3: Container[str] = ()) -> bytes | None:
    """A decoded content stream without the text objects in which all text is invisible.

    None if it has none, and if it is damaged: viewers differ in what they make of such a stream. A text object with
    visible text, too, stays as it is, because each text moves what follows it. `type3` are the names of Type 3 fonts,
    whose text is visible in every mode.
    """
    if len(content) > _LARGEST or not _MAY_HAVE.search(content):
        return None
    import pikepdf  # 0.15 s of CPU, for documents that had an OCR only

    pdf = pikepdf.new()
    try:
        with warnings.catch_warnings(action="error"):
            found = pikepdf.parse_content_stream(pikepdf.Stream(pdf, content))
    except (pikepdf.PdfError, UserWarning):
        return None
    if not all(isinstance(one, pikepdf.ContentStreamInlineImage) or str(one.operator) in _OPERATORS for one in found):
        return None
    try:
        parts = list(_parts(found, type3))
    except (TypeError, ValueError):  # a mode that is no number
        return None
    if not any(is_invisible for _, is_invisible in parts):
        return None
    kept = [one for part, is_invisible in parts for one in part if not (is_invisible and _shows_text(one))]
    return bytes(pikepdf.unparse_content_stream(kept))


def _parts(instructions: Iterable[Any], type3: Container[str]) -> Iterator[tuple[_Instructions, bool]]:
    """The text objects and what is between them, in order; and whether it is a text object whose text is invisible."""
    mode, font = 0, ""
    saved: list[tuple[int, str]] = []
    part: _Instructions = []
    shown: set[bool] = set()  # whether the texts in this part are invisible
    for one in instructions:
        name, operands = str(one.operator), one.operands
        if name == "BT":
            yield part, False
            part, shown = [], set()
        part.append(one)
        if name == "q":
            saved.append((mode, font))
        elif name == "Q" and saved:
            mode, font = saved.pop()
        elif name == "Tr" and operands:
            mode = int(operands[0])
        elif name == "Tf" and operands:
            font = str(operands[0]).removeprefix("/")
        elif name in _SHOWING:  # the operator " also sets the spacing of later text
            shown.add(mode == _INVISIBLE and font not in type3 and name != '"')
        elif name == "ET":
            yield part, shown == {True}
            part, shown = [], set()
    yield part, False


def _shows_text(instruction: Any) -> bool:
    return str(instruction.operator) in _SHOWING
