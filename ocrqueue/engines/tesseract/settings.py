"""The settings of the engine `tesseract`, read from the environment in the worker's parent and in its children."""

from dataclasses import dataclass
from pathlib import Path

from ocrqueue.settings import folder, text

# Where systems install language data: Debian and Ubuntu, Fedora and Arch, Homebrew, sources.
_FOLDERS = (
    "/usr/share/tesseract-ocr/5/tessdata",
    "/usr/share/tesseract-ocr/4.00/tessdata",
    "/usr/share/tesseract/tessdata",
    "/usr/share/tessdata",
    "/opt/homebrew/share/tessdata",
    "/usr/local/share/tessdata",
)


@dataclass(frozen=True, slots=True)
class TesseractSettings:
    """The settings of the engine."""

    folder: Path  # OCR_TESSDATA_DIR: the folder with the language data, *.traineddata
    lang: str  # OCR_TESSERACT_LANG: languages of a job that names none, as --lang takes them


def tesseract_settings() -> TesseractSettings:
    """Read the settings. Raises SettingsError if one is invalid."""
    return TesseractSettings(
        folder=folder("OCR_TESSDATA_DIR", _installed()),
        lang=text("OCR_TESSERACT_LANG", "en", r"[\w+-]+", "languages such as de or ru+en"),
    )


def _installed() -> Path:
    """The first folder of the system that has language data; the first of all if none has."""
    folders = [Path(name) for name in _FOLDERS]
    return next((path for path in folders if any(path.glob("*.traineddata"))), folders[0])
