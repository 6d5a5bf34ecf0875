"""What is decided about blocks over the whole document, when its pages are joined. Loads nothing heavy.

First each page is added to a `Survey`, which keeps little of it. Then a `Joiner` makes the final blocks of each page,
in order.
"""

from ocrqueue.structure.joining.joiner import Joiner
from ocrqueue.structure.joining.survey import Survey

__all__ = ["Joiner", "Survey"]
