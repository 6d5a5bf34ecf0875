"""Names of languages: what users write becomes one name for each language, by which engines are compared.

Such a name is the BCP 47 tag with as little as possible: the language ("ru"), and its script where it is not the usual
one ("zh-Hant", "sr-Latn", "de-Latf"). "und-Cyrl" is any language in that script. The tags are parsed by langcodes,
which has the data of IANA and Unicode.
"""

from collections.abc import Collection
from functools import lru_cache

from ocrqueue.errors import InvalidOptions, shortened

# Names that are no tags: RapidOCR's, which earlier versions took, Tesseract's, and EasyOCR's, which clients of docling
# send.
_OTHER_NAMES = {
    "ch": "zh",
    "ch_sim": "zh",
    "ch_tra": "zh-Hant",
    "chinese": "zh",
    "chinese_cht": "zh-Hant",
    "english": "en",
    "french": "fr",
    "german": "de",
    "japan": "ja",
    "korean": "ko",
    "rs_cyrillic": "sr",
    "rs_latin": "sr-Latn",
    "chi_sim": "zh",
    "chi_tra": "zh-Hant",
    "frk": "de-Latf",
    "nb": "no",  # both written forms of Norwegian
    "nn": "no",
}
_NONE = ("und", "mul", "mis", "zxx")  # undetermined, several, without a code, not a language
_USUAL = {"grc": "Grek", "ko": "Hang"}  # langcodes says Cypriot, and Hangul with Chinese characters


def parse(given: str) -> tuple[str, ...]:
    """The languages of `--lang`, such as "ru+en": BCP 47 tags or ISO 639 codes, joined by "+". Each is returned once.

    Raises InvalidOptions if one of them is no language.
    """
    return tuple(dict.fromkeys(_parse_one(part, given) for part in given.split("+")))


def name_of(language: str, script: str) -> str:
    """The name of a language in a script, such as "sr" in "Latn"; the script is left out where it is the usual one."""
    return language if language != "und" and usual_script(language) == script else f"{language}-{script}"


@lru_cache(1000)
def script_of(name: str) -> str:
    """The script of a language with this name, as its ISO 15924 code, such as "Cyrl"."""
    return name.partition("-")[2] or usual_script(name)


def usual_script(language: str) -> str:
    """The script in which most texts of a language are written."""
    import langcodes

    return _USUAL.get(language) or langcodes.Language.get(language).maximize().script or "Latn"


def alpha3(name: str) -> str:
    """The three letters of ISO 639-2/T or 639-3 for a language, such as "rus" for "ru"."""
    import langcodes

    return langcodes.Language.get(name).to_alpha3()


def shown(names: Collection[str]) -> str:
    """Languages for a message, sorted; the first forty of many."""
    listed = sorted(names)
    return ", ".join(listed[:40]) + (f" and {len(listed) - 40} more" if len(listed) > 40 else "")


def wrong(given: object, part: str | None = None) -> InvalidOptions:
    """The error for what is given as `--lang`; `part` is what is wrong in it, if that is not all of it."""
    what = f"lang={shortened(given)} is not allowed"
    if part not in (None, given):
        what += f": {shortened(part)} is no language"
    return InvalidOptions(
        f"{what}: use BCP 47 or ISO 639 names, such as de, rus or zh-Hant, and + between several, as in ru+en"
    )


@lru_cache(1000)
def _parse_one(part: str, given: str) -> str:
    import langcodes

    if part.lower() in _OTHER_NAMES:
        return _OTHER_NAMES[part.lower()]
    try:
        tag = langcodes.Language.get(langcodes.standardize_tag(part, macro=True))
    except ValueError as e:
        raise wrong(given, part) from e
    language = tag.language or "und"
    if not tag.is_valid() or (language in _NONE and not tag.script):
        raise wrong(given, part)
    return name_of(language, tag.script or _USUAL.get(language) or tag.maximize().script or "Latn")
