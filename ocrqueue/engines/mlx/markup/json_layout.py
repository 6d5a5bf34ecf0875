"""The parser for JSON lists of elements with boxes, as dots.ocr writes them."""

from ocrqueue.engines.mlx.markup.blocks import kind_of
from ocrqueue.engines.mlx.markup.boxes import box_of, is_number
from ocrqueue.engines.mlx.markup.fences import unfenced
from ocrqueue.engines.mlx.markup.formulas import formula
from ocrqueue.engines.mlx.markup.lenient_json import Record, read_records
from ocrqueue.engines.mlx.markup.parsed import Element, Parsed, page_of
from ocrqueue.engines.mlx.markup.prose import markdown
from ocrqueue.engines.mlx.view import View

_KEYS = ("bbox", "category", "text")
_BRACKETS = " \n\t\r,[]{}"  # between and around the objects of a list


def dots(answer: str, view: View) -> Parsed:
    """dots.ocr: a JSON list of {"bbox": [x1, y1, x2, y2], "category": ..., "text": ...}; boxes in pixels it sees.

    Headers and footers of pages are kept. The text of an object that is cut off is kept, too.
    """
    content = unfenced(answer)
    found = list(read_records(content, _KEYS))
    if not any(isinstance(part, Record) and part.fields.keys() & _KEYS for part in found):
        return markdown(answer if content.strip(_BRACKETS) else "", view)
    return page_of(_block(part, view) for part in found)


def _block(part: Record | str, view: View) -> Element:
    if isinstance(part, str):
        return Element(part.strip(_BRACKETS))
    box = part.fields.pop("bbox", [])
    kind = "".join(part.fields.pop("category", []))
    texts = [*part.fields.pop("text", []), *(value for values in part.fields.values() for value in values)]
    content = "\n".join([*texts, *part.loose, *(value for value in box if not is_number(value))])
    return Element(formula(content) if kind == "Formula" else content, box_of(box, view, None), kind_of(kind))
