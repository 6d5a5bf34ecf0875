"""Parsers for answers that are text or Markdown, without boxes."""

import re

from ocrqueue.engines.mlx.markup.parsed import Parsed, page_of
from ocrqueue.engines.mlx.view import View
from ocrqueue.pages import PageText


def text(answer: str, view: View) -> Parsed:  # noqa: ARG001 -- every parser takes both
    """Plain text."""
    return Parsed(PageText(text=answer.strip()))


def markdown(answer: str, view: View) -> Parsed:  # noqa: ARG001 -- every parser takes both
    """Markdown, inside a code fence or not."""
    return page_of([], _unfenced(answer))


def _unfenced(answer: str) -> str:
    fenced = re.fullmatch(r"\s*```(?:markdown|md)?\n(.*?)\n?```\s*", answer, re.DOTALL)
    return (fenced[1] if fenced else answer).strip()
