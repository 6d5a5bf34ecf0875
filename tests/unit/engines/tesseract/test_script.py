"""Languages for the scripts that Tesseract finds, and whether a reading has the letters of its script."""

from collections.abc import Sequence

import pytest

from ocrqueue.engines.tesseract.script import MOST, language_in, others, seems_written_in
from ocrqueue.pages import Line

BOX = ((0.0, 0.0), (9.0, 0.0), (9.0, 9.0), (0.0, 9.0))
FILES = {"en": "eng", "fr": "fra", "ko": "kor", "ja": "jpn", "zh": "chi_sim", "ru": "rus", "el": "ell", "grc": "grc"}


@pytest.mark.parametrize(
    ("script", "files", "language"),
    [
        ("Hang", FILES, "ko"),
        ("Jpan", FILES, "ja"),
        ("Hans", FILES, "zh"),
        ("Cyrl", FILES, "ru"),
        ("Grek", FILES, "el"),
        ("Cyrl", {"und-Cyrl": "script/Cyrillic", "bg": "bul"}, "und-Cyrl"),
        ("Cyrl", {"bg": "bul"}, "bg"),
        ("Hang", {"und-Hang": "script/Hangul"}, "und-Hang"),
        ("Thai", FILES, None),
    ],
)
def test_a_script_is_read_in_its_most_common_language_that_has_data(
    script: str, files: dict[str, str], language: str | None
) -> None:
    assert language_in(script, files) == language


def test_there_is_one_language_for_each_script_that_is_not_known() -> None:
    assert others(FILES, ["en", "ru"]) == ["el", "ko", "zh", "ja"]


@pytest.mark.parametrize(
    ("lang", "texts", "seems_so"),
    [
        ("ko", ["데비안 설치", "preseed.cfg"], True),
        ("el", ["As for ἀλλά, which the scholiast explains as a negation, see above"], False),
        ("el", ["ἀλλὰ γὰρ οὖν", "which the scholiast explains"], True),
        ("ru", ["ARM armhf multiplatform armmp", "Ба"], False),
        ("de-Latf", ["Kritik der reinen Vernunft"], True),
        ("th", ["12-34"], True),
    ],
)
def test_a_reading_in_another_script_has_its_letters(lang: str, texts: Sequence[str], seems_so: bool) -> None:
    assert seems_written_in(lang, [Line(text, BOX) for text in texts]) == seems_so


def test_of_a_page_whose_script_is_certain_many_letters_are_in_it() -> None:
    lines = [Line("ἀλλὰ γὰρ οὖν", BOX), Line("which the scholiast explains", BOX)]
    assert seems_written_in("el", lines)
    assert not seems_written_in("el", lines, MOST)
    assert seems_written_in("el", lines[:1], MOST)
