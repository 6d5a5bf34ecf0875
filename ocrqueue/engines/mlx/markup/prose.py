"""Parsers for answers that are text or Markdown, without boxes."""

from ocrqueue.engines.mlx.markup.blocks import text_blocks
from ocrqueue.engines.mlx.markup.fences import unfenced
from ocrqueue.engines.mlx.markup.formulas import dollars
from ocrqueue.engines.mlx.markup.parsed import Element, Parsed, page_of
from ocrqueue.engines.mlx.markup.tables.from_otsl import has_otsl, with_tables
from ocrqueue.engines.mlx.view import View
from ocrqueue.pages import PageText


def text(answer: str, view: View) -> Parsed:
    """Plain text. A table in OTSL, PaddleOCR-VL's answer to `Table Recognition:`, becomes a table."""
    if has_otsl(answer):
        return markdown(answer, view)
    content = dollars(answer.strip())
    return Parsed(PageText(text=content, blocks=text_blocks(content)))


def markdown(answer: str, view: View) -> Parsed:  # noqa: ARG001 -- every parser takes both
    """Markdown, inside a code fence or not."""
    content = unfenced(answer)
    return page_of([Element(with_tables(content) if has_otsl(content) else content)])
