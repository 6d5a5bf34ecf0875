"""Structure: the blocks of a page (headings, paragraphs, list items, tables and so on), found by layout models.

Importing this package loads nothing heavy. The models are loaded with the first page.
"""

from ocrqueue.structure.models import free_models, has_models
from ocrqueue.structure.page import find_blocks

__all__ = ["find_blocks", "free_models", "has_models"]
