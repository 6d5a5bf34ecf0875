"""Which languages a folder of Tesseract's data has, and what to install for another one."""

from pathlib import Path

import pytest

from ocrqueue import languages
from ocrqueue.engines.tesseract.data import PUBLISHED, SCRIPTS, advice, file_of, package_of, scan
from ocrqueue.errors import PageFailure


def folder_with(path: Path, *files: str) -> Path:
    for file in files:
        (path / file).parent.mkdir(exist_ok=True)
        (path / f"{file}.traineddata").write_text(file)
    return path


def test_files_are_known_by_the_names_of_their_languages(tmp_path: Path) -> None:
    folder = folder_with(
        tmp_path, "rus", "chi_tra", "frk", "jpn_vert", "osd", "equ", "srp_latn", "script/Cyrillic", "my-own"
    )
    assert scan(folder).files == {
        "ru": "rus", "zh-Hant": "chi_tra", "de-Latf": "frk", "sr-Latn": "srp_latn", "und-Cyrl": "script/Cyrillic"
    }  # fmt: skip


def test_a_missing_folder_has_no_languages(tmp_path: Path) -> None:
    assert scan(tmp_path / "none").files == {}


def test_the_identity_changes_with_a_file(tmp_path: Path) -> None:
    before = scan(folder_with(tmp_path, "rus")).identity
    assert scan(tmp_path).identity == before
    (tmp_path / "rus.traineddata").write_text("newer")
    changed = scan(tmp_path).identity
    assert scan(folder_with(tmp_path, "eng")).identity not in (changed, before)
    assert changed != before


def test_several_languages_are_loaded_together_and_a_script_stands_in(tmp_path: Path) -> None:
    data = scan(folder_with(tmp_path, "rus", "eng", "script/Cyrillic"))
    assert data.wanted(["en", "ru"]) == "eng+rus"
    assert data.wanted(["en", "uk", "bg"]) == "eng+script/Cyrillic"
    assert scan(folder_with(tmp_path, "script/Hangul")).wanted(["ko"]) == "script/Hangul"


def test_english_is_added_to_data_without_latin_letters(tmp_path: Path) -> None:
    folder = folder_with(tmp_path, "rus", "jpn", "kor", "deu")
    assert scan(folder).wanted(["ru"]) == "rus"
    data = scan(folder_with(tmp_path, "eng"))
    assert [data.wanted([name]) for name in ("ru", "ja", "ko", "de")] == ["rus+eng", "jpn", "kor", "deu"]
    assert data.wanted(["ru", "de"]) == "rus+deu"


def test_missing_data_is_reported_with_what_to_install(tmp_path: Path) -> None:
    with pytest.raises(PageFailure) as caught:
        scan(folder_with(tmp_path, "eng")).wanted(["ru", "en", "zh-Hant"])
    assert caught.value.code == "language_missing"
    assert caught.value.message == (
        "tesseract has no data for ru, zh-Hant: apt install tesseract-ocr-rus tesseract-ocr-chi-tra, or put "
        f"rus.traineddata and chi_tra.traineddata into OCR_TESSDATA_DIR; it has en, in {tmp_path}"
    )


def test_packages_are_named_as_debian_does() -> None:
    assert package_of("chi_sim") == "tesseract-ocr-chi-sim"
    assert package_of("script/HanS") == "tesseract-ocr-script-hans"
    assert advice(["und-Cyrl"]).startswith("apt install tesseract-ocr-script-cyrl, or")
    assert advice(["tlh", "ru"]) == (
        "no Tesseract data exist for tlh, so use another engine, such as a vision-language model"
    )
    assert (file_of("tlh"), file_of("und-Zyyy"), file_of("no")) == (None, None, "nor")


def test_every_published_file_has_a_language_and_every_language_its_file(tmp_path: Path) -> None:
    files = scan(folder_with(tmp_path, *PUBLISHED, *(f"script/{name}" for name in SCRIPTS.values()))).files
    assert set(files.values()) == PUBLISHED | {f"script/{name}" for name in SCRIPTS.values()}
    assert {file_of(name) for name in files} == set(files.values())
    assert all(languages.parse(name) == (name,) for name in files)
