"""Which engine and model a job gets, and what an error says if no worker serves them."""

import json

import pytest

from ocrqueue.engines import ENGINES
from ocrqueue.errors import DocumentError, InvalidOptions
from ocrqueue.ledger import Job
from ocrqueue.ledger.workers import Worker
from ocrqueue.limits import Limits, RereadLimits
from ocrqueue.options import Options
from ocrqueue.steps.engine_choice import choose, other_engine, read_again_as


def worker(**models):
    """A worker that serves engines, each with one model."""
    engines = {
        engine: {"model": model, "revision": "1", "queue": f"pages.{engine}"}
        for engine, model in ((name.replace("_", "-"), model) for name, model in models.items())
    }
    return Worker("w", "host", 1, "0.1.0", tuple(about["queue"] for about in engines.values()), engines=engines)


def chosen(workers, **options):
    offer = choose(Options(**options), workers, Limits(), ENGINES)
    return offer.engine, offer.model


BOTH = [worker(rapidocr="PP-OCRv6", mlx_vlm="org/dots")]


def test_a_served_vision_model_comes_first():
    assert chosen(BOTH) == ("mlx-vlm", "org/dots")
    assert chosen(BOTH, engine="rapidocr") == ("rapidocr", "PP-OCRv6")
    assert chosen(BOTH, model="PP-OCRv6") == ("rapidocr", "PP-OCRv6")
    assert chosen([worker(rapidocr="PP-OCRv6")]) == ("rapidocr", "PP-OCRv6")


def test_a_job_waits_for_a_worker_with_its_vision_model():
    assert chosen(BOTH, model="org/other") == ("mlx-vlm", "org/other")
    assert chosen([], engine="mlx-vlm", model="org/other") == ("mlx-vlm", "org/other")


def test_a_model_that_no_engine_has_fails_with_the_next_step():
    with pytest.raises(DocumentError) as caught:
        chosen([worker(rapidocr="PP-OCRv6")], model="org/dots")
    assert caught.value.code == "model_missing"
    assert caught.value.message == (
        "no worker serves the model org/dots: check it with `submit.py models check org/dots`, then start a worker "
        "with OCR_MODEL=org/dots; the engine rapidocr reads with PP-OCRv6 only"
    )
    with pytest.raises(DocumentError, match=r"set OCR_MODEL to one that `submit\.py models list` shows"):
        chosen([worker(rapidocr="PP-OCRv6")], engine="mlx-vlm")


def test_an_unknown_engine_is_refused():
    with pytest.raises(InvalidOptions, match="there are mlx-vlm, rapidocr, tesseract"):
        chosen(BOTH, engine="tesserakt")


# -- by language -----------------------------------------------------------------------------------------------------
def reading(**languages):
    """A worker that serves engines, each with these languages."""
    engines = {name: {"model": "m", "revision": "1", "languages": read} for name, read in languages.items()}
    return Worker("w", "host", 1, "0.1.0", (), engines=engines)


def reading_poor(name):
    """A worker that serves an engine for poorly read pages only."""
    about = {"model": f"{name}-model", "revision": "1", "pages": "poor", "reads_as": f"as {name}"}
    return Worker("v", "host", 2, "0.1.0", (), engines={name: about})


READERS = [reading(rapidocr=["fr", "en"], tesseract=["fr", "en", "ru"])]


def test_auto_takes_the_engine_that_reads_the_language_best():
    assert chosen(READERS, lang="rus")[0] == "tesseract"
    assert chosen(READERS, lang="ru+en")[0] == "tesseract"
    assert chosen([reading(rapidocr=["fr"]), *READERS], lang="fr")[0] == "rapidocr"
    assert chosen([*READERS, worker(mlx_vlm="org/dots")], lang="ru") == ("mlx-vlm", "org/dots")


def test_a_language_that_no_served_engine_reads_fails_with_what_to_install():
    for options in ({"lang": "el"}, {"lang": "ru", "engine": "rapidocr"}, {"lang": "ru", "model": "m"}):
        with pytest.raises(DocumentError) as caught:
            chosen([reading(rapidocr=["de", "en"])], **options)
        assert caught.value.code == "language_missing"
        assert "make setup TESSERACT=1" in caught.value.message
    with pytest.raises(DocumentError, match="apt install tesseract-ocr-ell"):
        chosen(READERS, lang="el")


@pytest.mark.parametrize("options", [{"engine": "rapidocr"}, {"model": "PP-OCRv6"}])
def test_a_language_that_another_served_engine_reads_fails_with_its_name(options):
    served = [worker(rapidocr="PP-OCRv6"), reading(rapidocr=["fr", "el"]), reading(tesseract=["fr", "ru"])]
    with pytest.raises(DocumentError) as caught:
        chosen(served, lang="ru", **options)
    assert caught.value.code == "language_missing"
    assert caught.value.message == (
        "rapidocr cannot read ru, but tesseract can, which is served: leave engine and model out, or name tesseract "
        "instead"
    )
    with pytest.raises(DocumentError, match="cannot read ru, but tesseract can"):  # also if the named one is not served
        chosen(served[2:], lang="ru", engine="rapidocr")
    with pytest.raises(DocumentError) as caught:
        chosen(served, lang="uk", **options)
    assert caught.value.message == (
        "no served engine reads uk (served: rapidocr, tesseract; see `submit.py engines`): apt install "
        "tesseract-ocr-ukr, or put ukr.traineddata into OCR_TESSDATA_DIR"
    )


def test_what_is_no_language_is_an_invalid_option():
    with pytest.raises(InvalidOptions, match="use BCP 47"):
        chosen(READERS, lang="Klingonish")


def test_workers_that_announce_no_languages_get_every_language():
    assert chosen([worker(rapidocr="PP-OCRv6")], lang="tlh")[0] == "rapidocr"


def test_without_a_live_worker_the_engines_of_this_machine_count():
    known = {"rapidocr": ENGINES["rapidocr"], "mlx-vlm": ENGINES["mlx-vlm"]}
    assert choose(Options(lang="de"), [], Limits(), known).engine == "rapidocr"
    with pytest.raises(DocumentError, match="no served engine reads ru"):
        choose(Options(lang="ru"), [], Limits(), known)


# -- for poorly read pages -------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("options", "limits", "engine"),
    [
        ({}, (1, 60), "tesseract"),
        ({"lang": "ru"}, (1, 60), "tesseract"),
        ({"lang": "ja"}, (1, 60), None),  # which it does not read either
        ({"engine": "rapidocr"}, (1, 60), None),
        ({"model": "m"}, (1, 60), None),
        ({}, (0, 60), None),
        ({}, (1, 0), None),
    ],
)
def test_poorly_read_pages_go_to_another_engine_that_reads_the_language(options, limits, engine):
    record = {"state": "running", "created": "0", "source": '{"name": "a.pdf"}', "engine": "rapidocr"}
    job = Job.parse("j", record | {"options": json.dumps(options)})
    found = other_engine(job, "as", READERS, RereadLimits(*limits))
    assert (found and found.engine) == engine


@pytest.mark.parametrize("limits", [(0, 60), (1, 0)])
def test_limits_that_allow_nothing_say_that_no_page_is_read_again(limits):
    assert read_again_as(Options(), "rapidocr", READERS, RereadLimits(*limits)) is None


def test_a_vision_model_for_poorly_read_pages_comes_after_other_engines():
    vision = reading_poor("mlx-vlm")
    assert chosen([*READERS, vision])[0] == "rapidocr"
    assert chosen([*READERS, vision], lang="ru")[0] == "tesseract"
    assert chosen([*READERS, vision], lang="el")[0] == "mlx-vlm"  # which no other one reads
    assert chosen([reading(tesseract=["en"]), vision])[0] == "tesseract"
    assert chosen([vision])[0] == "mlx-vlm"
    assert chosen([*READERS, vision], engine="mlx-vlm")[0] == "mlx-vlm"
    assert chosen([*READERS, vision], model="mlx-vlm-model") == ("mlx-vlm", "mlx-vlm-model")
    assert chosen([*READERS, vision, worker(mlx_vlm="org/dots")])[0] == "mlx-vlm"  # not all its workers say so


def test_a_vision_model_for_poorly_read_pages_is_the_second_engine_before_all_others():
    record = {"state": "running", "created": "0", "source": '{"name": "a.pdf"}', "options": "{}", "engine": "rapidocr"}
    for workers in ([*READERS, reading_poor("mlx-vlm")], [reading_poor("mlx-vlm"), *READERS]):
        found = other_engine(Job.parse("j", record), "as", workers, RereadLimits(1, 60))
        assert found
        assert (found.engine, found.model, found.queue) == ("mlx-vlm", "mlx-vlm-model", "pages.mlx-vlm")
        assert read_again_as(Options(), "rapidocr", workers, RereadLimits(1, 60)) == "as mlx-vlm"
    assert read_again_as(Options(), "rapidocr", READERS, RereadLimits(1, 60)) == "tesseract", "it says no more"
    alone = [reading(rapidocr=["fr", "en"])]
    assert read_again_as(Options(), "rapidocr", alone, RereadLimits(1, 60)) == ""


def test_no_page_is_read_by_an_engine_that_was_not_measured_or_a_third_time():
    record = {"state": "running", "created": "0", "source": '{"name": "a.pdf"}', "options": "{}", "engine": "rapidocr"}
    once, again = Job.parse("j", record), Job.parse("j", record | {"first": '{"engine": "mlx-vlm"}'})
    assert other_engine(once, "as", [worker(rapidocr="PP-OCRv6", mlx_vlm="org/dots")], RereadLimits(1, 60)) is None
    assert other_engine(again, "as", READERS, RereadLimits(1, 60)) is None
