"""An engine that reads scripts, as if an attacker had printed them on the pages of a document."""

from PIL import Image

from ocrqueue.engines import Model
from ocrqueue.errors import PageError
from ocrqueue.pages import Line, PageText, PageWarning, Word
from ocrqueue.states import WarningCode
from tests.support import numbered
from tests.support.engines import Numbered

XSS = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "'-alert(1)-'",
    "<svg/onload=alert(1)>",
    "[click](javascript:alert(1))",
    "</title><script>alert(1)</script>",
    "{{7*7}}${alert(1)}",
    "<a href=javascript:alert(1)>here</a>",
    "![x](x'onerror='alert(1))",
    "</textarea></pre><iframe srcdoc=<script>alert(1)</script>>",
)


class Hostile(Numbered):
    """Page N has the Nth text of XSS everywhere: line, doubtful words, Markdown, warning. Pages after the last fail."""

    name = "hostile"

    def default_model(self) -> Model:
        """The name of the model is a script, too."""
        return Model(XSS[1], "1")

    def _read(self, page: Image.Image) -> PageText | PageError:
        number, _ = numbered.decode(page)
        if number > len(XSS):
            return PageError("engine_error", XSS[number - len(XSS) - 1])
        text = XSS[number - 1]
        width, height = page.size
        box = ((0.0, 0.0), (width, 0.0), (width, height), (0.0, height))
        line = Line(text, box, 0.3, words=tuple(Word(word, box, 0.3) for word in text.split()))
        return PageText([line], markdown=text, warnings=(PageWarning(WarningCode.CUT_OFF, text),))
