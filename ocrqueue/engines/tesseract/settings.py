"""The settings of the engine `tesseract`, read from the environment in the worker's parent and in its children."""

from dataclasses import dataclass
from pathlib import Path

from marshmallow import ValidationError

from ocrqueue import languages
from ocrqueue.errors import InvalidOptions
from ocrqueue.settings import env, folder, read

# Where systems install language data: Debian and Ubuntu, Fedora and Arch, Homebrew, sources.
_FOLDERS = (
    "/usr/share/tesseract-ocr/5/tessdata",
    "/usr/share/tesseract-ocr/4.00/tessdata",
    "/usr/share/tesseract/tessdata",
    "/usr/share/tessdata",
    "/opt/homebrew/share/tessdata",
    "/usr/local/share/tessdata",
)
_ALLOWED = "BCP 47 or ISO 639 names of languages, with + between several, such as de or ru+en"


@dataclass(frozen=True, slots=True)
class TesseractSettings:
    """The settings of the engine."""

    folder: Path  # OCR_TESSDATA_DIR: the folder with the language data, *.traineddata
    lang: str  # OCR_TESSERACT_LANG: languages of a job that names none, as --lang takes them


def tesseract_settings() -> TesseractSettings:
    """Read the settings. Raises SettingsError if one is invalid."""
    return TesseractSettings(
        folder=folder("OCR_TESSDATA_DIR", _installed()),
        lang=read(env.str, "OCR_TESSERACT_LANG", "en", _ALLOWED, validate=_are_languages),
    )


def _are_languages(given: str) -> None:
    try:
        languages.parse(given)
    except InvalidOptions as e:
        raise ValidationError(e.message) from e


def _installed() -> Path:
    """The first folder of the system that has language data; the first of all if none has."""
    folders = [Path(name) for name in _FOLDERS]
    return next((path for path in folders if any(path.glob("*.traineddata"))), folders[0])
