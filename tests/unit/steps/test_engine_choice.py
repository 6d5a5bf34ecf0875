"""Which engine and model a job gets, and what an error says if no worker serves them."""

import pytest

from ocrqueue.engines import ENGINES
from ocrqueue.errors import DocumentError, InvalidOptions
from ocrqueue.ledger.workers import Worker
from ocrqueue.limits import Limits
from ocrqueue.options import Options
from ocrqueue.steps.engine_choice import choose


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
