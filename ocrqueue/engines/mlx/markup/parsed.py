"""What a parser returns, and how it puts a page together."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from ocrqueue.engines.mlx.markup.plain import plain
from ocrqueue.engines.mlx.view import View
from ocrqueue.pages import Line, PageText


@dataclass(frozen=True, slots=True)
class Parsed:
    """What a parser found in a model's answer."""

    page: PageText  # its boxes are in pixels of the page image that the model was given
    turn: int = 0  # degrees clockwise, 0 to 270, by which the page image must be turned to be upright, says the model


Parser = Callable[[str, View], Parsed]


def page_of(lines: list[Line], content: str) -> Parsed:
    """A page whose text is Markdown."""
    return Parsed(PageText(lines, text=plain(content), markdown=content))


def joined(parts: Iterable[str]) -> str:
    """Parts of a page as one text, with an empty line between them."""
    return "\n\n".join(part for part in (p.strip() for p in parts) if part)
