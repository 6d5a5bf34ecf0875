"""Tesseract's language data: which languages a folder has, and what to install for another one."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType

from ocrqueue import languages
from ocrqueue.errors import PageFailure

# The data that the project Tesseract publishes for version 5, and Debian packages as tesseract-ocr-*.
PUBLISHED = frozenset(
    "afr amh ara asm aze aze_cyrl bel ben bod bos bre bul cat ceb ces chi_sim chi_tra chr cos cym dan deu div dzo ell "
    "eng enm epo est eus fao fas fil fin fra frk frm fry gla gle glg grc guj hat heb hin hrv hun hye iku ind isl ita "
    "jav jpn kan kat kaz khm kir kmr kor lao lat lav lit ltz mal mar mkd mlt mon mri msa mya nep nld nor oci ori pan "
    "pol por pus que ron rus san sin slk slv snd spa sqi srp srp_latn sun swa swe syr tam tat tel tgk tha tir ton tur "
    "uig ukr urd uzb uzb_cyrl vie yid yor".split()
)
# Data for any language in a script, by the script's ISO 15924 code.
SCRIPTS = {
    "Arab": "Arabic", "Armn": "Armenian", "Beng": "Bengali", "Cans": "Canadian_Aboriginal", "Cher": "Cherokee",
    "Cyrl": "Cyrillic", "Deva": "Devanagari", "Ethi": "Ethiopic", "Latf": "Fraktur", "Geor": "Georgian",
    "Grek": "Greek", "Gujr": "Gujarati", "Guru": "Gurmukhi", "Hang": "Hangul", "Hans": "HanS", "Hant": "HanT",
    "Hebr": "Hebrew", "Jpan": "Japanese", "Khmr": "Khmer", "Knda": "Kannada", "Laoo": "Lao", "Latn": "Latin",
    "Mlym": "Malayalam", "Mymr": "Myanmar", "Orya": "Oriya", "Sinh": "Sinhala", "Syrc": "Syriac", "Taml": "Tamil",
    "Telu": "Telugu", "Thaa": "Thaana", "Thai": "Thai", "Tibt": "Tibetan",
}  # fmt: skip
# Languages whose data is not named by ISO 639-2/T.
_NAMES = {"zh": "chi_sim", "zh-Hant": "chi_tra", "de-Latf": "frk", "ku": "kmr"}
# Scripts whose data has Latin letters. With other data, Latin words would be read as words in the other script.
_WITH_LATIN = frozenset({"Latn", "Latf", "Hans", "Hant", "Jpan", "Hang"})
_ALSO = {"deu_latf": "de-Latf", "deu_frak": "de-Latf"}  # data under other names


@dataclass(frozen=True, slots=True)
class LanguageData:
    """The data in a folder."""

    folder: Path
    files: Mapping[str, str]  # name of a language -> name of its file without .traineddata, such as "rus"
    identity: str  # changes when a file of the folder does

    def wanted(self, names: Iterable[str]) -> str:
        """What Tesseract is to load for these languages, such as "rus+eng".

        A language without data of its own is read with that of its script, if there is one. English is added to
        languages whose data has no Latin letters. Raises PageFailure with the code `language_missing`.
        """
        names = tuple(names)
        found = {name: self.files.get(name) or self.files.get(f"und-{languages.script_of(name)}") for name in names}
        if missing := [name for name in names if not found[name]]:
            raise PageFailure(
                f"tesseract has no data for {', '.join(missing)}: {advice(missing)}; it has "
                f"{languages.shown(self.files) or 'none'}, in {self.folder}",
                "language_missing",
            )
        scripts = {languages.script_of(name) for name in names}
        latin = [] if scripts & _WITH_LATIN or "en" not in self.files else [self.files["en"]]
        return "+".join(dict.fromkeys([*(file for file in found.values() if file), *latin]))


def scan(folder: Path) -> LanguageData:
    """The data in a folder now. A folder that cannot be read has none."""
    files: dict[str, str] = {}
    digest = hashlib.sha256()
    for path in sorted([*folder.glob("*.traineddata"), *folder.glob("script/*.traineddata")]):
        try:
            about = path.stat()
        except OSError:
            continue
        stem = path.relative_to(folder).as_posix().removesuffix(".traineddata")
        digest.update(f"{stem} {about.st_size} {int(about.st_mtime)}\n".encode())
        if name := _language_of(stem):
            files.setdefault(name, stem)
    return LanguageData(folder, MappingProxyType(files), digest.hexdigest()[:12])


def file_of(name: str) -> str | None:
    """The name of a language's file without .traineddata; None if Tesseract has no data for the language."""
    language, _, script = name.partition("-")
    if language == "und":
        return f"script/{SCRIPTS[script]}" if script in SCRIPTS else None
    file = _NAMES.get(name) or "_".join(filter(None, (languages.alpha3(language), script.lower())))
    return file if file in PUBLISHED else None


def package_of(file: str) -> str:
    """The Debian package with a file of language data."""
    folder, _, name = file.rpartition("/")
    if folder:
        name = "script-" + next(code for code, script in SCRIPTS.items() if script == name)
    return f"tesseract-ocr-{name.lower().replace('_', '-')}"


def advice(names: Iterable[str]) -> str:
    """What to install so that Tesseract reads these languages, or what to do if there is no data for one."""
    files = {name: file_of(name) for name in names}
    if unknown := [name for name, file in files.items() if not file]:
        listed = ", ".join(unknown)
        return f"no Tesseract data exist for {listed}, so use another engine, such as a vision-language model"
    wanted = [file for file in files.values() if file]
    put = " and ".join(f"{file}.traineddata" for file in wanted)
    return f"apt install {' '.join(map(package_of, wanted))}, or put {put} into OCR_TESSDATA_DIR"


@cache
def _language_of(stem: str) -> str | None:
    """The name of the language of a file; None if it is for none, or is not one that Tesseract publishes."""
    if stem.startswith("script/"):
        return next((f"und-{code}" for code, script in SCRIPTS.items() if f"script/{script}" == stem), None)
    if stem in PUBLISHED:
        return languages.parse(stem)[0]
    return _ALSO.get(stem)
