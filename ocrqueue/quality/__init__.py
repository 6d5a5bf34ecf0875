"""The quality of a page: the expected share of its words that an engine read correctly, 0 to 1.

It follows from signals of the reading (`signals`) by a logistic function whose weights were fitted for each engine, by
`python -m bench.quality`, on pages whose text is known. The file `weights.json` holds them.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from importlib.resources import files
from typing import Any

from ocrqueue.engines.tesseract.data import advice as data_advice
from ocrqueue.engines.tesseract.data import package_of
from ocrqueue.pages import POORLY_READ, Line, PageText, PageWarning
from ocrqueue.quality.signals import Signals, signals_of
from ocrqueue.states import WarningCode

_VIETNAMESE = 0.1  # share of short words without a vowel; Vietnamese pages have 0.12 to 0.31, others at most 0.08
_LATIN = 0.9  # mean confidence; Vietnamese pages have 0.95 to 0.98, others that look so at most 0.92
_ALL_LATIN = 0.75  # confidence that nine lines in ten have; Vietnamese pages have 0.93 to 0.96, others at most 0.65
_FRAKTUR = 0.01  # share of words with a long s, read as f; Fraktur pages have 0.014 to 0.046, all others 0
_IN_FRAKTUR = 0.65  # share of its words that an engine reads right that does not know Fraktur; it is surer of them
_GREEK = 0.1  # share of Greek letters from which a page counts as Greek; other pages have single ones, in formulas
_IN_GREEK = 0.08  # share of the words that `rapidocr`, which knows few Greek letters, reads right on a Greek page
_NOWHERE = ((0.0, 0.0),) * 4
Weights = Mapping[str, float]  # by name of the feature, see `features_of`


def quality_of(page: PageText, engine: str) -> float | None:
    """The quality of a page as the engine with this name returned it.

    0 if the engine found lines and could read none. None: the engine was not measured, or it found no text.
    """
    weights = _weights().get(engine)
    if weights is None:
        return None
    signals = signals_of(page)
    if signals is None:
        return 0.0 if page.unread and not page.lines else None
    return round(expected(signals, engine, weights), 2)


def expected(signals: Signals, engine: str, weights: Weights) -> float:
    """The quality, 0 to 1, that follows from the signals of a page and the weights of its engine."""
    return min(probability(features_of(signals), weights), _most(signals, engine))


def _most(signals: Signals, engine: str) -> float:
    """The quality that a page has at most, however sure the engine is: it does not know all of its letters."""
    if _is_fraktur(signals):
        return _IN_FRAKTUR
    if engine == "rapidocr":  # it reads about every second Greek letter as such
        return max(_IN_GREEK, 1 - 2 * signals.greek)
    return 1.0


def is_measured(engine: str) -> bool:
    """Whether the quality of this engine's pages is known."""
    return engine in _weights()


def likely_language(page: Mapping[str, Any]) -> str | None:
    """The language of a page that an engine has read without knowing all of its letters; None if that is not known.

    `page` is the page's result.
    """
    return language_in(signals_of(PageText([Line(x["text"], _NOWHERE, x["confidence"]) for x in page["lines"]])))


def language_in(signals: Signals | None) -> str | None:
    """The language that the signals of such a page tell; None if they tell none.

    In Fraktur, the long s of German words looks like an f. In Vietnamese every fifth short word has no vowel that other
    languages have, too. It is read with high confidence, and in all lines; other scripts, which can look like words
    without vowels, are not.
    """
    if signals and _is_fraktur(signals):
        return "de-Latf"
    if signals and signals.bare >= _VIETNAMESE and signals.sure >= _LATIN and signals.tenth >= _ALL_LATIN:
        return "vi"
    return None


def _is_fraktur(signals: Signals) -> bool:
    return signals.fraktur >= _FRAKTUR


def features_of(signals: Signals) -> dict[str, float]:
    """The values that the weights belong to, about 0 to 1 each. Doubts of confidences are on a logarithmic scale."""
    return {
        "constant": 1.0,
        "doubt": _log(1 - signals.sure),
        "doubt of the tenth": _log(1 - signals.tenth),
        "unread": signals.unread,
        "bare": min(1.0, 4 * signals.bare),
    }


def probability(features: Mapping[str, float], weights: Weights) -> float:
    """The logistic function of the weighted sum of the features."""
    return 1 / (1 + math.exp(-sum(weights[name] * value for name, value in features.items())))


def warned(page: PageText, quality: float | None, engine: str, lang: str | None = None) -> PageText:
    """The page as an engine returned it, with a warning if its quality is so low that it counts as poorly read.

    `lang` is the job's.
    """
    if quality is None or quality >= POORLY_READ:
        return page
    message = f"probably only {quality:.0%} of the words were read correctly: {_advice(page, engine, lang)}"
    return replace(page, warnings=(*page.warnings, PageWarning(WarningCode.POORLY_READ, message)))


def _advice(page: PageText, engine: str, lang: str | None) -> str:
    """What may read a page better. A language that this engine does not know needs Tesseract and its data."""
    sharper = "scan it sharper, with 300 dpi"
    if lang:
        return f"{sharper}, or serve another engine that reads {lang}"
    signals = signals_of(page)
    likely = "el" if signals and signals.greek >= _GREEK else language_in(signals)
    setup = "" if engine == "tesseract" else "`make setup TESSERACT=1` and "
    if likely:
        return f"it seems to be in {likely}, which Tesseract reads: {setup}{data_advice([likely])}"
    russian = f"{setup}apt install {package_of('rus')}"
    others = f"if it is in a language that {engine} does not read, such as Russian, Tesseract with its data does"
    return f"{others} ({russian}, then --lang ru); else {sharper}"


def _log(doubt: float) -> float:
    """A doubt of 0.001 and less becomes 0, one of 1 becomes 1."""
    return 1 + math.log10(max(0.001, doubt)) / 3


@cache
def _weights() -> dict[str, dict[str, float]]:
    """The weights of each engine that was measured, by its name."""
    found: dict[str, dict[str, float]] = json.loads((files(__name__) / "weights.json").read_text("utf-8"))
    return found
