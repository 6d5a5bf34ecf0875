"""The engine `tesseract`: Tesseract 5 inside the child, with the language data of the system.

Each set of languages that jobs ask for is loaded once, and stays until `_MAX_LOADED` other sets were used since.
"""

import logging
import os
from collections import OrderedDict
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from ocrqueue import languages
from ocrqueue.engines import Model, installed
from ocrqueue.engines.tesseract.data import SCRIPTS, LanguageData, advice, scan
from ocrqueue.engines.tesseract.settings import TesseractSettings, tesseract_settings
from ocrqueue.errors import EngineFreed, ModelUnavailable, OcrError, PageError, PageFailure
from ocrqueue.options import Options
from ocrqueue.pages import PageText
from ocrqueue.process.memory import trim

if TYPE_CHECKING:
    from PIL.Image import Image

    from ocrqueue.engines.tesseract.lines import LanguageReader
    from ocrqueue.engines.tesseract.script import ScriptFinder

log = logging.getLogger(__name__)
_MAX_LOADED = 4  # sets of languages in memory; each needs 10 to 60 MB
_MAX_SIDE = 32_767  # pixels: Tesseract's coordinates have 16 bits
_SURE = 0.85  # confidence of a page whose script was probably the right one
_FAIRLY_SURE = (
    0.6  # of a page with letters of the script that the data for scripts has found; in a wrong one at most 0.5
)
_SURER = 0.1  # by so much a part of a page must be read better in another script
_PACKAGES = ("tesserocr", "pillow", "langcodes")  # their versions decide the text; Tesseract is part of the first


class Tesseract:
    """Reads printed text line by line, in the languages that a job names. `load` imports the library."""

    name = "tesseract"
    batch = 1
    dpi = 300

    def __init__(self, settings: TesseractSettings | None = None) -> None:
        self._settings = settings or tesseract_settings()
        self._readers: OrderedDict[str, LanguageReader] | None = None  # by what is loaded; the last one used last
        self._scripts: ScriptFinder | None = None  # loaded for the first page without a language
        self._damaged: set[str] = set()  # languages, and the data that tells scripts apart, that cannot be loaded

    def default_model(self) -> Model:
        """The language data of the system; its revision changes with it. Raises ModelUnavailable if there is none."""
        if not (version := installed("tesserocr")):
            raise _not_installed("tesserocr is not installed")
        return Model("tesseract-5", f"{version}-{self._data().identity}")

    def fingerprint(self) -> str:
        """The languages of jobs that name none, and versions of packages. Imports and loads nothing."""
        return repr([self._settings.lang, *map(installed, _PACKAGES)])

    def languages(self) -> list[str]:
        """The names of the languages with data."""
        return sorted(scan(self._settings.folder).files)

    def check_default(self) -> None:
        """Raise PageFailure if there is no data for the languages of jobs that name none."""
        scan(self._settings.folder).wanted(languages.parse(self._settings.lang))

    def load(self, model: Model) -> None:
        """Import the library, and load the languages of jobs that name none, if that is possible.

        Raises ModelUnavailable if the model is unknown, or the library or all data is missing. Missing or damaged data
        of a language fails the pages in that language.
        """
        if model.name != self.default_model().name:
            raise ModelUnavailable(
                f"tesseract has no model {model.name!r}: leave the model out, or name another engine"
            )
        self.free_resources()
        os.environ.setdefault("OMP_THREAD_LIMIT", "1")  # a library that was built here may use OpenMP
        try:
            import tesserocr  # noqa: F401
        except ImportError as e:
            raise _not_installed(str(e)) from e
        self._readers = OrderedDict()
        try:
            self._reader(None)
        except PageFailure as e:
            log.warning("%s; until then, pages of jobs without --lang fail", e.message)

    def read(self, pages: "Sequence[Image]", options: Options) -> list[PageText | PageError]:
        """Read upright RGB page images; one result for each, in order. Raises EngineFreed after `free_resources`."""
        if self._readers is None:
            raise EngineFreed("tesseract has nothing loaded: call load() before read()")
        try:
            if options.lang:
                return [self._try(self._reader(options.lang), page) for page in pages]
            return [self._in_likely_script(page) for page in pages]
        except OcrError as e:
            return [PageError(e.code, e.message)] * len(pages)
        finally:
            trim()

    def free_resources(self) -> None:
        """Free all language data; `load` loads it again."""
        while self._readers:
            self._readers.popitem()[1].close()
        self._readers = None
        if self._scripts:
            self._scripts.close()
        self._scripts = None
        self._damaged.clear()
        trim()

    def _in_likely_script(self, page: "Image") -> PageText | PageError:
        """Read a page whose language nobody said. Raises PageFailure if there is no data for a language."""
        guess = self._guess(page)
        found = self._try(self._reader(guess), page)
        if isinstance(found, PageError) or not found.lines or (found.confidence or 0.0) >= _SURE:
            return found
        from ocrqueue.engines.tesseract.script import MOST, doubtful_part, others, seems_written_in

        if guess and (found.confidence or 0.0) >= _FAIRLY_SURE and seems_written_in(guess, found.lines, MOST):
            return found  # the script is the right one; the page is hard to read
        used = guess or self._settings.lang
        part = doubtful_part(page, found.lines)
        sure = {lang: self._confidence(lang, part) for lang in others(scan(self._settings.folder).files, [used])}
        best = max(sure, key=lambda lang: sure[lang], default=used)
        if best == used or sure[best] < self._confidence(used, part, anyway=True) + _SURER:
            return found
        again = self._try(self._reader(best), page)
        is_better = isinstance(again, PageText) and (again.confidence or 0.0) > (found.confidence or 0.0)
        return again if is_better else found

    def _confidence(self, lang: str, part: "Image", anyway: bool = False) -> float:
        """The confidence with which Tesseract reads a part of a page in a language.

        0 if it cannot, or if the part does not seem to be written in the language's script, unless `anyway`.
        """
        from ocrqueue.engines.tesseract.script import seems_written_in

        if not self._can_load(lang):
            return 0.0
        found = self._try(self._reader(lang), part)
        if isinstance(found, PageError) or not (anyway or seems_written_in(lang, found.lines)):
            return 0.0
        return found.confidence or 0.0

    def _guess(self, page: "Image") -> str | None:
        """A language for a page whose script is not that of the languages in the settings; None: read with those."""
        from ocrqueue.engines.tesseract.script import language_in

        finder = None if max(page.size) > _MAX_SIDE or min(page.size) < 1 else self._script_finder()
        script = finder.script_of(page) if finder else None
        if script is None or script in map(languages.script_of, languages.parse(self._settings.lang)):
            return None
        guess = language_in(script, scan(self._settings.folder).files)
        return guess if guess and self._can_load(guess) else None

    def _script_finder(self) -> "ScriptFinder | None":
        """Tesseract with the data that tells scripts apart; None if the folder has none, or it is damaged."""
        from ocrqueue.engines.tesseract.script import DATA, ScriptFinder, has_data

        folder = self._settings.folder
        if self._scripts is None and has_data(folder) and DATA not in self._damaged:
            try:
                self._scripts = ScriptFinder(folder)
            except RuntimeError:
                self._damaged.add(DATA)
                _warn(f"{_install_again(DATA, folder)}; until then, the scripts of pages without --lang are not found")
        return self._scripts

    def _can_load(self, lang: str) -> bool:
        """Whether the data of a language that no job has named can be loaded. If not, its script is left out."""
        if lang in self._damaged:
            return False
        try:
            self._reader(lang)
        except PageFailure as e:
            self._damaged.add(lang)
            script = languages.script_of(lang)
            _warn(f"{e.message}; until then, pages without --lang are not read in {SCRIPTS.get(script, script)} script")
            return False
        return True

    def _data(self) -> LanguageData:
        """The data in the folder. Raises ModelUnavailable if there is none."""
        data = scan(self._settings.folder)
        if not data.files:
            raise ModelUnavailable(f"tesseract has no language data in {data.folder}: {advice(['en'])}")
        return data

    def _reader(self, lang: str | None) -> "LanguageReader":
        """Tesseract with these languages, loaded now or earlier. Raises InvalidOptions, PageFailure."""
        from ocrqueue.engines.tesseract.lines import LanguageReader, LoadError

        if self._readers is None:
            raise EngineFreed("tesseract has nothing loaded: call load() before read()")
        wanted = scan(self._settings.folder).wanted(languages.parse(lang or self._settings.lang))
        if wanted not in self._readers:
            while len(self._readers) >= _MAX_LOADED:
                self._readers.popitem(last=False)[1].close()
            try:
                self._readers[wanted] = LanguageReader(self._settings.folder, wanted)
            except LoadError as e:
                raise PageFailure(_install_again(str(e), self._settings.folder), "model_broken") from e
        self._readers.move_to_end(wanted)
        return self._readers[wanted]

    def _try(self, reader: "LanguageReader", page: "Image") -> PageText | PageError:
        if not page.width or not page.height:
            return PageText([])
        size = f"{page.width} x {page.height} pixels"
        if max(page.size) > _MAX_SIDE:
            return PageError("too_large", f"tesseract reads at most {_MAX_SIDE} pixels a side, not {size}: lower --dpi")
        try:
            return PageText(reader.lines(page))
        except MemoryError:
            return PageError("engine_error", f"not enough memory for a page of {size}: use a lower --dpi")
        except Exception as e:  # noqa: BLE001 -- an error of the engine fails this page only
            return PageError("engine_error", f"{type(e).__name__}: {e}"[:300])


def _install_again(damaged: str, folder: Path) -> str:
    """What to do about damaged data, named as LoadError does: "rus", "eng, rus" or "eng+rus"."""
    names = damaged.replace("+", ", ").split(", ")
    files = " and ".join(f"{name}.traineddata" for name in names)
    return f"tesseract cannot load its data for {', '.join(names)}: install {files} in {folder} again"


@cache
def _warn(message: str) -> None:
    """Log a warning, once in this process."""
    log.warning("%s", message)


def _not_installed(reason: str) -> ModelUnavailable:
    return ModelUnavailable(
        f'tesseract cannot be imported ({reason}): `make setup TESSERACT=1`, or pip install "ocrqueue[tesseract]"'
    )
