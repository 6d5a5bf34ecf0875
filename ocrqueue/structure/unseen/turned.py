"""What is printed upside down or across the page: it stands at the end, in the order in which it was read."""

from collections.abc import Sequence

from ocrqueue.blocks import BlockKind
from ocrqueue.layout.pieces import is_upside_down, leans
from ocrqueue.pages import Line
from ocrqueue.structure.parts import Part
from ocrqueue.structure.texts import Text


def turned_parts(texts: Sequence[Text], lines: Sequence[Line]) -> list[Part]:
    """A paragraph for each line that leans or is upside down. `lines` are those of the page."""
    boxes = ((text, lines[text.index].box) for text in texts)
    return [Part(BlockKind.PARAGRAPH, [text], text.box) for text, box in boxes if leans(box) or is_upside_down(box)]
