"""The blocks of a page whose text a model wrote: from Markdown, or from plain text.

Nothing raises, no text is lost, and the time grows with the length of the text only.
"""

from ocrqueue.engines.mlx.markup.blocks.kinds import kind_of
from ocrqueue.engines.mlx.markup.blocks.page import blocks_of_page
from ocrqueue.engines.mlx.markup.blocks.whole import markdown_blocks, of_kind, text_blocks

__all__ = ["blocks_of_page", "kind_of", "markdown_blocks", "of_kind", "text_blocks"]
