"""Parsers for the answers of models: text, Markdown, and boxes in the notations of different models.

A parser takes a model's complete answer, and the view through which the model saw the page. An answer that is cut off
or does not follow its format becomes plain text, so that nothing is lost. The package needs no engine.
"""

from ocrqueue.engines.mlx.markup.canvas import nemotron
from ocrqueue.engines.mlx.markup.docling import doctags
from ocrqueue.engines.mlx.markup.front_matter import olmocr
from ocrqueue.engines.mlx.markup.grounding import grounded
from ocrqueue.engines.mlx.markup.json_layout import dots
from ocrqueue.engines.mlx.markup.parsed import Parsed, Parser
from ocrqueue.engines.mlx.markup.prose import markdown, text
from ocrqueue.engines.mlx.markup.regions import florence, spotting

__all__ = ["PARSERS", "Parsed", "Parser"]

PARSERS: dict[str, Parser] = {
    parser.__name__: parser
    for parser in (text, markdown, olmocr, grounded, dots, nemotron, florence, spotting, doctags)
}
