"""The engine `tesseract`: text and boxes of drawn pages, languages, memory, and damaged data.

Needs the data of English, Russian, Hebrew and Arabic (Debian: tesseract-ocr-eng, -rus, -heb and -ara).
"""

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from PIL import Image

from ocrqueue.engines import Model
from ocrqueue.engines.tesseract import engine as module
from ocrqueue.engines.tesseract.engine import Tesseract
from ocrqueue.engines.tesseract.settings import TesseractSettings, tesseract_settings
from ocrqueue.errors import EngineFreed, ModelUnavailable, PageError
from ocrqueue.layout import arrange
from ocrqueue.options import Options
from ocrqueue.pages import PageText
from tests.support.scripts import PANGRAMS, image_of

pytestmark = pytest.mark.needs("tesseract")

EN, RU = PANGRAMS["en"], PANGRAMS["ru"]


@pytest.fixture(scope="module")
def loaded() -> Iterator[Tesseract]:
    engine = Tesseract()
    engine.load(engine.default_model())
    yield engine
    engine.free_resources()


def read(engine: Tesseract, page: Image.Image, lang: str | None = None) -> PageText:
    (found,) = engine.read([page], Options(lang=lang))
    assert isinstance(found, PageText), found
    return found


def fails(engine: Tesseract, lang: str) -> PageError:
    (found,) = engine.read([image_of(RU)], Options(lang=lang))
    assert isinstance(found, PageError)
    return found


def test_a_page_is_read_in_the_language_of_its_job(loaded: Tesseract) -> None:
    assert read(loaded, image_of(EN)).plain == EN
    assert read(loaded, image_of(RU), "rus").plain == RU
    assert read(loaded, image_of(EN, RU), "ru+en").plain == f"{EN}\n{RU}"
    assert read(loaded, image_of(RU)).plain == RU  # the job names no language: its script is found


@pytest.mark.thorough
def test_a_page_of_a_job_that_names_no_language_is_read_in_its_script(loaded: Tesseract) -> None:
    found = read(loaded, image_of(*[RU] * 6))
    assert found.plain.count(RU) >= 5
    assert read(loaded, image_of(*[EN] * 6)).plain.count(EN) == 6


@pytest.mark.thorough
def test_a_page_in_two_scripts_is_read_in_the_one_that_latin_data_does_not_read(loaded: Tesseract) -> None:
    # Too few letters, or too many Latin ones, for the data that tells scripts apart.
    assert read(loaded, image_of(EN, RU)).plain == f"{EN}\n{RU}"
    assert read(loaded, image_of("Щука")).plain == "Щука"
    assert read(loaded, image_of(*[EN] * 5, RU, *[EN] * 5)).plain.count(EN) == 10


def test_latin_words_are_read_in_a_language_of_another_script(loaded: Tesseract) -> None:
    mixed = f"{RU} Redis and Celery"
    assert read(loaded, image_of(mixed, size=10), "ru").plain == mixed


@pytest.mark.parametrize("lang", ["he", "ar"])
def test_text_that_runs_to_the_left_is_in_logical_order(loaded: Tesseract, lang: str) -> None:
    text = PANGRAMS[lang]
    found = read(loaded, image_of(text, text), lang)
    assert [line.text for line in found.lines] == [text] * 2
    assert all(line.confidence and line.confidence > 0.7 for line in found.lines)


def test_lines_and_words_have_boxes_and_confidences(loaded: Tesseract) -> None:
    page = image_of(EN, RU)
    lines = read(loaded, page, "en+ru").lines
    assert [line.text for line in lines] == [EN, RU]
    for line in lines:
        assert line.confidence is not None
        assert 0.8 < line.confidence <= 1
        assert [word.text for word in line.words] == line.text.split()
        assert all(word.confidence and 0.5 < word.confidence <= 1 for word in line.words)
        (left, top), _, (right, bottom), _ = line.box
        assert page.width / 20 < left < right < page.width
        assert 20 < bottom - top < 60
        for before, after in zip(line.words, line.words[1:], strict=False):
            assert left <= before.box[0][0] < before.box[1][0] < after.box[0][0] <= right
    assert lines[0].box[2][1] < lines[1].box[0][1]


def test_a_line_that_leans_has_a_box_that_leans(loaded: Tesseract) -> None:
    page = image_of(EN).rotate(-1, fillcolor="white", resample=Image.Resampling.BICUBIC)
    (line,) = read(loaded, page).lines
    (_, left_top), (_, right_top), (_, right_bottom), (_, left_bottom) = line.box
    width = line.box[1][0] - line.box[0][0]
    assert right_top - left_top == pytest.approx(width * 0.0175, rel=0.3)
    assert right_bottom - left_bottom == pytest.approx(right_top - left_top)


def test_columns_are_read_one_after_the_other(loaded: Tesseract) -> None:
    page = Image.new("RGB", (1400, 500), "white")
    column = image_of(*["one two three four five six seven"] * 4, size=12).crop((60, 60, 700, 480))
    page.paste(column, (20, 20))
    page.paste(column, (740, 20))
    lines = arrange(read(loaded, page), page).lines
    assert [line.box[0][0] < 700 for line in lines] == [True] * 4 + [False] * 4


def test_blank_and_tiny_pages_have_no_text(loaded: Tesseract) -> None:
    for size in [(600, 800), (1, 1), (3, 4000), (0, 5)]:
        assert read(loaded, Image.new("RGB", size, "white")).lines == []


def test_a_page_that_is_too_large_fails_alone(loaded: Tesseract) -> None:
    large, fine = loaded.read([Image.new("RGB", (33_000, 10), "white"), image_of(EN)], Options())
    assert isinstance(large, PageError)
    assert (large.code, "lower --dpi" in large.message) == ("too_large", True)
    assert isinstance(fine, PageText)


def test_a_language_without_data_fails_the_page_and_says_what_to_install(loaded: Tesseract, tmp_path: Path) -> None:
    assert fails(loaded, "tlh").code == "language_missing"
    data = tmp_path / "rus.traineddata"
    data.symlink_to(tesseract_settings().folder / "rus.traineddata")
    engine = Tesseract(TesseractSettings(tmp_path, "en"))
    engine.load(engine.default_model())  # although the language of jobs that name none is not there
    error = fails(engine, "ru+en")
    assert (error.code, error.message.partition(",")[0]) == (
        "language_missing", "tesseract has no data for en: apt install tesseract-ocr-eng"
    )  # fmt: skip
    assert read(engine, image_of(RU), "ru").plain == RU
    assert engine.languages() == ["ru"]
    engine.free_resources()


def test_damaged_data_is_reported_and_other_languages_are_read(tmp_path: Path) -> None:
    folder = tesseract_settings().folder
    (tmp_path / "eng.traineddata").symlink_to(folder / "eng.traineddata")
    (tmp_path / "rus.traineddata").write_bytes((folder / "rus.traineddata").read_bytes()[:100_000])
    engine = Tesseract(TesseractSettings(tmp_path, "en"))
    engine.load(engine.default_model())
    for lang in ("ru", "en+ru"):
        error = fails(engine, lang)
        assert (error.code, "cannot load its data for" in error.message) == ("model_broken", True)
    assert read(engine, image_of(EN)).plain == EN
    engine.free_resources()
    engine = Tesseract(TesseractSettings(tmp_path, "ru"))
    engine.load(engine.default_model())  # although it cannot read pages of jobs that name no language
    (error,) = engine.read([image_of(RU)], Options())
    assert isinstance(error, PageError)
    assert error.code == "model_broken"
    assert f"cannot load its data for rus: install rus.traineddata in {tmp_path} again" in error.message
    assert read(engine, image_of(EN), "en").plain == EN
    engine.free_resources()


@pytest.mark.thorough
def test_damaged_data_of_another_script_is_left_out_and_named_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tesseract_settings().folder
    (tmp_path / "eng.traineddata").symlink_to(folder / "eng.traineddata")
    for name in ("rus", "osd"):
        (tmp_path / f"{name}.traineddata").write_bytes((folder / f"{name}.traineddata").read_bytes()[:100_000])
    engine = Tesseract(TesseractSettings(tmp_path, "en"))
    engine.load(engine.default_model())
    module._warn.cache_clear()
    for _ in range(2):
        assert (read(engine, image_of(RU)).confidence or 0.0) < module._SURE  # so each script is tried
        assert read(engine, image_of(EN)).plain == EN
    warned = [record.message for record in caplog.records if record.levelname == "WARNING"]
    again = f"install {{}}.traineddata in {tmp_path} again; until then"
    assert [line.partition(": ")[2].rpartition(",")[0] for line in warned] == [again.format("osd"), again.format("rus")]
    assert "not read in Cyrillic script" in warned[1]
    engine.free_resources()


@pytest.mark.thorough
def test_a_page_in_a_script_whose_data_is_damaged_is_read_without_it(tmp_path: Path) -> None:
    folder = tesseract_settings().folder
    for name in ("eng", "osd"):
        (tmp_path / f"{name}.traineddata").symlink_to(folder / f"{name}.traineddata")
    (tmp_path / "rus.traineddata").write_bytes((folder / "rus.traineddata").read_bytes()[:100_000])
    engine = Tesseract(TesseractSettings(tmp_path, "en"))
    engine.load(engine.default_model())
    assert read(engine, image_of(*[RU] * 6)).lines
    assert fails(engine, "ru").code == "model_broken"
    engine.free_resources()


def test_without_any_data_the_model_is_unavailable(tmp_path: Path) -> None:
    with pytest.raises(ModelUnavailable, match=r"no language data in .*: apt install tesseract-ocr-eng") as caught:
        Tesseract(TesseractSettings(tmp_path, "en")).default_model()
    assert caught.value.code == "model_missing"


def test_each_set_of_languages_is_loaded_once_and_only_some_stay(
    loaded: Tesseract, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_MAX_LOADED", 2)
    loaded.free_resources()
    loaded.load(loaded.default_model())
    first = loaded._reader("en")
    assert loaded._reader("eng") is first
    loaded._reader("ru")
    assert loaded._reader("en") is first
    loaded._reader("en+ru")  # instead of "ru", which was used before "en"
    assert loaded._readers is not None
    assert list(loaded._readers) == ["eng", "eng+rus"]


@pytest.mark.thorough
def test_memory_stays_flat(loaded: Tesseract) -> None:
    page = image_of(EN, RU, dpi=150)
    for _ in range(3):
        read(loaded, page, "ru+en")
    before = psutil.Process().memory_info().rss
    for _ in range(12):
        read(loaded, page, "ru+en")
    assert psutil.Process().memory_info().rss - before < 8 * 2**20


def test_a_freed_engine_raises_and_can_be_loaded_again() -> None:
    engine = Tesseract()
    with pytest.raises(EngineFreed, match=r"call load\(\)"):
        engine.read([image_of(EN)], Options())
    engine.load(engine.default_model())
    before = engine.fingerprint(), engine.default_model()
    engine.free_resources()
    engine.free_resources()
    with pytest.raises(EngineFreed):
        engine.read([], Options())
    engine.load(engine.default_model())
    assert (engine.fingerprint(), engine.default_model()) == before
    assert read(engine, image_of(EN)).plain == EN
    engine.free_resources()


def test_an_unknown_model_is_refused() -> None:
    with pytest.raises(ModelUnavailable, match="no model 'other'"):
        Tesseract().load(Model("other", "1"))


PROGRAM = """
import sys
from ocrqueue.engines.tesseract.engine import Tesseract
from ocrqueue.options import Options
engine = Tesseract()
model = engine.default_model()
assert not {"PIL", "tesserocr"} & set(sys.modules)
engine.load(model)
import psutil
from PIL import Image
engine.read([Image.open(sys.argv[1])], Options())
me, *others = sorted((t.user_time + t.system_time for t in psutil.Process().threads()), reverse=True)
assert sum(others) < me / 4, (me, others)
"""


def test_a_child_uses_one_thread_prints_nothing_and_imports_late(tmp_path: Path) -> None:
    image_of(EN, RU).save(tmp_path / "page.png")
    command = [sys.executable, "-c", PROGRAM, str(tmp_path / "page.png")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("", "")


TIMED = """
import sys
from PIL import Image
from ocrqueue.engines.tesseract.engine import Tesseract
from ocrqueue.options import Options
from ocrqueue.process.watchdog import time_limit
engine = Tesseract()
engine.load(engine.default_model())
with time_limit(0.3):
    for _ in range(1000):
        engine.read([Image.open(sys.argv[1])], Options(lang="en"))
"""


def test_the_time_limit_ends_it_inside_the_library(tmp_path: Path) -> None:
    image_of(*[EN] * 18, dpi=300).save(tmp_path / "page.png")
    command = [sys.executable, "-c", TIMED, str(tmp_path / "page.png")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == -signal.SIGALRM
    assert "in lines" in done.stderr  # the stack, for the log
