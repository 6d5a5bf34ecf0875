"""Parsers for answers that are text or Markdown, without boxes."""

from ocrqueue.engines.mlx.markup.fences import unfenced
from ocrqueue.engines.mlx.markup.formulas import dollars
from ocrqueue.engines.mlx.markup.parsed import Block, Parsed, page_of
from ocrqueue.engines.mlx.markup.tables.from_otsl import has_otsl, with_tables
from ocrqueue.engines.mlx.view import View
from ocrqueue.pages import PageText


def text(answer: str, view: View) -> Parsed:
    """Plain text. A table in OTSL, PaddleOCR-VL's answer to `Table Recognition:`, becomes a table."""
    if has_otsl(answer):
        return markdown(answer, view)
    return Parsed(PageText(text=dollars(answer.strip())))


def markdown(answer: str, view: View) -> Parsed:  # noqa: ARG001 -- every parser takes both
    """Markdown, inside a code fence or not."""
    content = unfenced(answer)
    return page_of([Block(with_tables(content) if has_otsl(content) else content)])
