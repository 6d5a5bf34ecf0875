"""Finds the script of a page, such as Cyrillic, with Tesseract's own data for it.

That data does not know a page with words in two scripts. Where a page was read with low confidence, a part of it is
read in every other script, and the page in the one that fits.
"""

import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ocrqueue import languages
from ocrqueue.engines.tesseract.data import SCRIPTS
from ocrqueue.pages import Line

if TYPE_CHECKING:
    from PIL.Image import Image

DATA = "osd"  # tells scripts apart
_PART = 8  # a page is as high as so many parts
# Share of the letters of a part that are not Latin: 0.28 and more in the right script. Data for another script reads
# the Latin words of a page, too, sometimes with higher confidence; then it has up to 0.08.
_ENOUGH = 0.15
MOST = 0.4  # the same of a page of whose script there is no doubt; a Korean one that was read as Russian has 0.12
_LATIN = ("Latn", "Latf")
_CODES = {name: code for code, name in SCRIPTS.items()} | {"Han": "Hans", "Korean": "Hang"}  # by Tesseract's names


class ScriptFinder:
    """Tesseract with the data that tells scripts apart."""

    def __init__(self, folder: Path) -> None:
        """Load the data. Raises RuntimeError if the folder has none, or it is damaged."""
        import tesserocr

        self._api: Any = tesserocr.PyTessBaseAPI(
            path=str(folder), lang=DATA, psm=tesserocr.PSM.OSD_ONLY, variables={"debug_file": "/dev/null"}
        )

    def script_of(self, page: "Image") -> str | None:
        """The script of most of a page, as its ISO 15924 code; None if it has too few letters."""
        grey = page.convert("L")
        try:
            self._api.SetImageBytes(grey.tobytes(), grey.width, grey.height, 1, grey.width)
            found = self._api.DetectOrientationScript()
        finally:
            self._api.Clear()
        return _CODES.get(found["script_name"]) if found else None

    def close(self) -> None:
        """Free the data."""
        self._api.End()


def has_data(folder: Path) -> bool:
    """Whether a folder has the data that tells scripts apart."""
    return (folder / f"{DATA}.traineddata").exists()


def language_in(script: str, files: Mapping[str, str]) -> str | None:
    """The language out of `files` to read a script with, the most common one first; None if there is none."""
    import langcodes

    usual = langcodes.Language.make(script=script).maximize().language or ""
    names = [name for name in files if languages.script_of(name) == script]
    return next((name for name in (usual, f"und-{script}", *names) if name in names), None)


def others(files: Mapping[str, str], known: Iterable[str]) -> list[str]:
    """A language out of `files` for each script that the languages `known` are not written in."""
    left = {languages.script_of(name) for name in files} - {languages.script_of(name) for name in known}
    return [language for script in sorted(left) if (language := language_in(script, files))]


def seems_written_in(lang: str, lines: Sequence[Line], share: float = _ENOUGH) -> bool:
    """Whether lines that were read as `lang` have its letters, and not just Latin ones, which its data has, too."""
    if languages.script_of(lang) in _LATIN:
        return True
    letters = [letter for line in lines for letter in line.text if letter.isalpha()]
    return sum(not unicodedata.name(letter, "").startswith("LATIN") for letter in letters) >= share * len(letters)


def doubtful_part(page: "Image", lines: Sequence[Line]) -> "Image":
    """The part of a page, over its whole width, with the most letters that were read with low confidence."""
    height = page.height // _PART

    def doubt(top: float) -> float:
        inside = [line for line in lines if top <= line.box[0][1] and line.box[3][1] <= top + height]
        return sum(len(line.text) * (1 - (line.confidence or 0.0)) for line in inside)

    top = max((line.box[0][1] for line in lines), key=doubt, default=0.0)
    if not doubt(top):  # the lines are higher than a part
        return page
    return page.crop((0, max(0, int(top) - 5), page.width, min(page.height, int(top) + height + 5)))
