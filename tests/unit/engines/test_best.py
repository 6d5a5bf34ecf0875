"""Which engine reads a language best."""

import json
from itertools import permutations

from ocrqueue import languages
from ocrqueue.engines import ENGINES
from ocrqueue.engines.best import FILE, announced, best_engine, for_poor_pages, measurements, missing, reads_all
from ocrqueue.ledger.workers import Worker

TABLE = {
    "de": {"rapidocr": 0.9, "tesseract": 0.8},
    "fr": {"rapidocr": 0.6, "tesseract": 0.9},
    "cs": {"rapidocr": 0.9, "tesseract": 0.7},
    "ru": {"rapidocr": 0.1, "tesseract": 0.8},
}
READS = {"rapidocr": frozenset({"de", "fr", "pl", "ja"}), "tesseract": frozenset({"de", "fr", "pl", "ru", "und-Hebr"})}


def best(*names: str, **others: frozenset[str] | None) -> str | None:
    return best_engine(names, {**READS, **others}, TABLE)


def test_the_engine_with_the_better_measurement_is_taken() -> None:
    assert (best("de"), best("fr"), best("ru")) == ("rapidocr", "tesseract", "tesseract")


def test_an_engine_has_to_read_all_languages() -> None:
    assert best("de", "ru") == "tesseract"
    assert best("de", "fr") == "tesseract"  # the mean of both is better
    assert best("de", "tlh") is None
    assert best("de", "ja") == "rapidocr"


def test_a_language_without_a_measurement_counts_like_others_in_its_script() -> None:
    assert best("pl") == "rapidocr"
    assert best("he") == "tesseract"  # it has data for the script


def test_a_vision_language_model_comes_first_and_an_unknown_engine_last() -> None:
    assert best("de", **{"mlx-vlm": None}) == "mlx-vlm"
    assert best("de", rows=None) == "rapidocr"
    assert best("tlh", rows=None) == "rows"
    assert best("he", rows=None) == "tesseract", "which says that it reads Hebrew, though nobody measured it"


def test_an_engine_for_poorly_read_pages_comes_last() -> None:
    reads = {**READS, "mlx-vlm": None}
    assert best_engine(["de"], reads, TABLE, {"mlx-vlm"}) == "rapidocr"
    assert best_engine(["tlh"], reads, TABLE, {"mlx-vlm"}) == "mlx-vlm"


def test_an_engine_is_for_poorly_read_pages_only_if_all_its_workers_say_so() -> None:
    def worker(**about: str) -> Worker:
        return Worker("w", "host", 1, "1", (), {"rapidocr": {"pages": "all"}, "mlx-vlm": {"model": "m", **about}})

    poor = worker(pages="poor")
    assert for_poor_pages([]) == set()
    assert for_poor_pages([poor, poor]) == {"mlx-vlm"}
    for other in (worker(pages="all"), worker()):  # workers of older versions say nothing
        assert for_poor_pages([poor, other]) == for_poor_pages([other, poor]) == set()


def test_an_engine_reads_what_it_reads_in_every_worker() -> None:
    def worker(*names: str) -> Worker:
        return Worker("w", "host", 1, "1", (), {"tesseract": {"model": "m", "languages": list(names)}})

    old = Worker("w", "host", 1, "1", (), {"rapidocr": {"model": "m"}, "tesseract": {"model": "m"}})
    for workers in permutations([worker("ru", "en"), worker("en", "de"), old]):
        assert announced(workers) == {"tesseract": {"en"}, "rapidocr": None}
    assert reads_all(None, ["tlh"])


def test_the_error_names_what_to_install() -> None:
    advice = "apt install tesseract-ocr-ell, or put ell.traineddata into OCR_TESSDATA_DIR"
    error = missing(["el", "de"], READS)
    assert error.code == "language_missing"
    assert error.message == (
        f"no served engine reads el (served: rapidocr, tesseract; see `submit.py engines`): {advice}"
    )
    error = missing(["el", "de"], {"rapidocr": frozenset({"de"})})
    assert error.message == (
        "no served engine reads el (served: rapidocr; see `submit.py engines`): `make setup TESSERACT=1`, "
        f"serve the engine tesseract, and {advice}"
    )
    apart = {"one": frozenset({"de"}), "other": frozenset({"el"})}
    assert "no served engine reads de, el together (served: one, other;" in missing(["de", "el"], apart).message
    assert missing(["tlh"], {"rapidocr": frozenset({"de"})}).message == (
        "no served engine reads tlh (served: rapidocr; see `submit.py engines`): no Tesseract data exist for tlh, so "
        "use another engine, such as a vision-language model"
    )


def test_the_table_was_measured_for_known_engines_and_languages() -> None:
    table = measurements()
    assert len(table) >= 19
    for name, row in table.items():
        assert languages.parse(name) == (name,)
        assert row.keys() <= ENGINES.keys()
        assert all(0 <= f1 <= 1 for f1 in row.values())
    assert json.loads(FILE.read_text())["pages"] >= 38
    assert table["ru"]["tesseract"] - table["ru"]["rapidocr"] > 0.5
