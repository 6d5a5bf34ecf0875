"""The quality of a page, and the signals that it follows from."""

import pytest

from ocrqueue.pages import POORLY_READ, Line, PageText, PageWarning
from ocrqueue.quality import features_of, likely_language, probability, quality_of, warned
from ocrqueue.quality.signals import signals_of

BOX = ((0.0, 0.0), (100.0, 0.0), (100.0, 20.0), (0.0, 20.0))
ENGLISH = "the installer asks for the name of the machine and for a password"
VIETNAMESE = "Khi s dng LVM đã mt mã, b cài đt sē cũng thc hin cc bc cn thit cho h thng"  # as rapidocr reads it
FRAKTUR = "Diefer Abschnitt befchreibt, was zu tun ift, wenn Sie die Pakete nicht felbft auswählen müffen"  # likewise


def page(*texts: str, confidence: float | None = 0.99, unread: float = 0.0) -> PageText:
    return PageText([Line(text, BOX, confidence) for text in texts], unread=unread)


def test_a_page_that_was_read_well_has_a_high_quality() -> None:
    quality = quality_of(page(ENGLISH, ENGLISH), "rapidocr")

    assert quality is not None
    assert quality > 0.95


@pytest.mark.parametrize(
    "doubtful",
    [
        page(ENGLISH, ENGLISH, confidence=0.6),
        page(*[VIETNAMESE] * 5, confidence=0.98),
        page(ENGLISH, "the", unread=0.7),
        page(*[FRAKTUR] * 5, confidence=0.98),
    ],
    ids=["low confidence", "words without vowels", "lines that were not read", "long s read as f"],
)
def test_each_signal_alone_makes_a_page_poorly_read(doubtful: PageText) -> None:
    quality = quality_of(doubtful, "rapidocr")

    assert quality is not None
    assert quality < POORLY_READ


@pytest.mark.parametrize(
    ("text", "engine", "quality"),
    [
        (page(ENGLISH), "somebody-elses", None),
        (page(ENGLISH, confidence=None), "rapidocr", None),
        (page(), "rapidocr", None),
        (page(unread=1.0), "rapidocr", 0.0),
    ],
    ids=["engine that was not measured", "no confidence", "blank page", "lines found, and none read"],
)
def test_what_is_not_known(text: PageText, engine: str, quality: float | None) -> None:
    assert quality_of(text, engine) == quality


@pytest.mark.parametrize(
    ("engine", "least", "most"), [("rapidocr", 0.3, 0.5), ("tesseract", 0.8, 1.0)], ids=["few letters", "all letters"]
)
def test_greek_words_that_an_engine_hardly_knows_lower_the_quality(engine: str, least: float, most: float) -> None:
    quality = quality_of(page(ENGLISH, "Δν γίνεται μια προσπάθεια", ENGLISH[:14], confidence=0.99), engine)

    assert quality is not None
    assert least < quality <= most


def test_signals_weigh_lines_by_their_length() -> None:
    signals = signals_of(PageText([Line("a" * 30, BOX, 0.9), Line("b" * 10, BOX, 0.5), Line("?", BOX)], unread=0.25))

    assert signals is not None
    assert signals.sure == pytest.approx(0.8)
    assert (signals.unread, signals.tenth) == (0.25, 0.5)


@pytest.mark.parametrize(
    ("text", "share"),
    [
        ("bt dng thc " * 10, 1),
        ("smrt prst vlk bt " * 10, 1 / 4),
        ("the ABC by HTTP " * 20, 0),
        ("東京タワー tv に pc と mm", 3 / 25),
        ("drwxr-xr-x 2 root /dev/sdb1 /mnt/sd_b grp:x:3 ~/src $bb x.html " * 20, 0),
        ("", 0),
    ],
    ids=["no vowel", "Czech", "capitals", "few words", "listing", "nothing"],
)
def test_short_words_without_a_vowel(text: str, share: float) -> None:
    signals = signals_of(page(text, "- 1 -"))

    assert signals is not None
    assert signals.bare == pytest.approx(share, abs=0.01)


@pytest.mark.parametrize(
    ("text", "share"),
    [
        (f"{FRAKTUR} " * 20, 5 / 15),
        ("Ihr Schiffchen, das Köpfchen, eine Schrift und der Hofchor find fein " * 20, 0),
        ("fchmod(fd) " * 5 + "the file " * 200, 5 / 410),
        ("ift fich", 2 / 200),
    ],
    ids=["Fraktur", "German", "names of functions", "few words"],
)
def test_german_words_whose_long_s_was_read_as_f(text: str, share: float) -> None:
    signals = signals_of(page(text))

    assert signals is not None
    assert signals.fraktur == pytest.approx(share, rel=0.05)


@pytest.mark.parametrize(
    ("text", "confidence", "language"),
    [
        (VIETNAMESE, 0.96, "vi"),
        (ENGLISH, 0.96, None),
        ("GX R EHI EHT dbi tx mn " * 5, 0.74, None),
        (FRAKTUR, 0.96, "de-Latf"),
        (FRAKTUR, 0.5, "de-Latf"),
    ],
    ids=["Vietnamese", "English", "Russian, misread", "Fraktur", "Fraktur, poor"],
)
def test_the_likely_language_of_a_poorly_read_page(text: str, confidence: float, language: str | None) -> None:
    assert likely_language({"lines": [{"text": text, "confidence": confidence}] * 5}) == language


def test_a_page_with_lines_that_could_hardly_be_read_is_not_taken_for_vietnamese() -> None:
    korean = [("syslinux.cfg timeout preseed/url=tftp://", 0.99), ("bt dng thc", 0.98), ("||n", 0.51), ("#LH", 0.6)]
    lines = [{"text": text, "confidence": confidence} for text, confidence in korean * 3]
    assert likely_language({"lines": lines[:2] * 9}) == "vi"
    assert likely_language({"lines": lines}) is None


def test_more_doubt_never_raises_the_quality() -> None:
    weights = {"constant": 1.0, "doubt": -2.0}

    values = [probability({"constant": 1.0, "doubt": doubt}, weights) for doubt in (0.0, 0.5, 1.0)]

    assert values == sorted(values, reverse=True)
    known = signals_of(page(ENGLISH))
    assert known is not None
    assert all(-0.01 <= value <= 1 for value in features_of(known).values())


def test_a_poorly_read_page_has_a_warning_besides_its_others() -> None:
    known = PageText([], warnings=(PageWarning("cut_off", "the end is missing"),))

    found = warned(known, 0.44, "rapidocr")

    assert [warning.code for warning in found.warnings] == ["cut_off", "poorly_read"]
    assert "44%" in found.warnings[1].message
    assert warned(known, POORLY_READ, "rapidocr") is warned(known, None, "rapidocr") is known


@pytest.mark.parametrize(
    ("text", "engine", "lang", "parts"),
    [
        (
            ENGLISH,
            "rapidocr",
            None,
            ["Russian", "make setup TESSERACT=1", "tesseract-ocr-rus", "--lang", "300 dpi"],
        ),
        (ENGLISH, "tesseract", None, ["that tesseract does not read", "tesseract-ocr-rus"]),
        ("Η ποιότητα της σελίδας", "rapidocr", None, ["in el,", "tesseract-ocr-ell"]),
        (ENGLISH, "rapidocr", "sv", ["300 dpi", "another engine that reads sv"]),
    ],
)
def test_the_advice_names_what_may_read_a_page_better(text: str, engine: str, lang: str, parts: list[str]) -> None:
    (warning,) = warned(page(text), 0.44, engine, lang).warnings
    assert [part for part in parts if part not in warning.message] == []
    assert ("make setup" in warning.message) == (engine == "rapidocr" and lang is None)
