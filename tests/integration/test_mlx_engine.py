"""The engine `mlx-vlm` with a small real model: single pages, batches, and pages that do not end by themselves."""

import gc
import os
import random
from collections.abc import Iterator
from dataclasses import replace
from unittest.mock import patch

import pytest
from PIL import Image

from ocrqueue.engines.mlx.answer import Answer, Bounds
from ocrqueue.engines.mlx.engine import MlxVlm
from ocrqueue.engines.mlx.generation import generate_batch, generate_one
from ocrqueue.engines.mlx.reading import PageReader
from ocrqueue.engines.mlx.settings import mlx_settings
from ocrqueue.errors import EngineFreed, ModelUnavailable
from ocrqueue.options import Options
from ocrqueue.pages import PageText
from ocrqueue.process.cancellation import cancellable
from ocrqueue.process.memory import give_back, memory_now
from tests.support import tiny

pytestmark = [
    pytest.mark.needs("mlx"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning"),
]
UNBOUND = Bounds(4096, float("inf"), lambda: False)


@pytest.fixture(scope="module")
def engine() -> Iterator[MlxVlm]:
    with patch.dict(os.environ, OCR_MODEL=str(tiny.FOLDER), OCR_MLX_PROMPT=tiny.PROMPT):
        engine = MlxVlm()
    engine.load(engine.default_model())
    yield engine
    engine.free_resources()


def reader(engine: MlxVlm) -> PageReader:
    """The reader of the engine, without limits."""
    assert engine._loaded is not None
    return PageReader(engine._loaded, engine._recipe, UNBOUND)


def read(engine: MlxVlm, *pages: Image.Image) -> list[str]:
    """The text of each page, or its error code."""
    found = engine.read(pages, Options())
    return [page.plain if isinstance(page, PageText) else page.code for page in found]


def test_pages_are_read_exactly(engine: MlxVlm) -> None:
    wanted = tiny.texts(16)
    assert [read(engine, page)[0] for page in tiny.pages(wanted)] == wanted
    assert read(engine, Image.new("RGB", (200, 60), "white")) == [""]
    assert read(engine) == []


def test_any_language_is_accepted(engine: MlxVlm) -> None:
    (page,) = engine.read([tiny.render("ABC")], Options(lang="tlh"))
    assert isinstance(page, PageText)
    assert page.plain == "ABC"


def test_the_engine_reads_the_same_as_mlx_vlm(engine: MlxVlm) -> None:
    from mlx_vlm import generate, load

    assert engine._loaded is not None
    model, processor = load(str(tiny.FOLDER))
    prompt = engine._loaded.prompt
    for page in tiny.pages(tiny.texts(6)):
        shown = reader(engine).show(page)[0]
        stock = generate(model, processor, prompt, [shown], max_tokens=60, temperature=0)
        assert read(engine, page) == [stock.text]


@pytest.mark.thorough
def test_a_batch_generates_the_same_tokens_as_single_pages(engine: MlxVlm) -> None:
    assert engine._loaded is not None
    pages = [reader(engine).show(p)[0] for p in [*tiny.pages(tiny.texts(22)), tiny.black()]]
    pages.append(Image.new("RGB", (96, 48), "white"))
    alone = [generate_one(engine._loaded, page, UNBOUND).tokens for page in pages]
    assert len({page.size for page in pages}) > 3
    order = list(range(len(pages)))
    for size in (2, 3, 8):
        random.Random(size).shuffle(order)
        for start in range(0, len(order), size):
            batch = order[start : start + size]
            together = generate_batch(engine._loaded, [pages[n] for n in batch], UNBOUND)
            assert [page.tokens for page in together if isinstance(page, Answer)] == [alone[n] for n in batch]


def test_a_failing_page_does_not_fail_its_batch(engine: MlxVlm) -> None:
    wanted = tiny.texts(3)
    first, second, third = tiny.pages(wanted)
    closed = Image.new("RGB", (10, 10))
    closed.close()
    too_thin = Image.new("RGB", (20_000, 10))
    found = read(engine, first, closed, second, too_thin, third, tiny.black())
    assert found == [wanted[0], "engine_error", wanted[1], "engine_error", wanted[2], "degenerate_output"]


def test_a_page_of_repetitions_is_read_again_at_every_temperature(
    engine: MlxVlm, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    assert read(engine, tiny.black()) == ["degenerate_output"]
    tries = [f"a page repeats itself after 160 tokens of try {number}" for number in (1, 2, 3)]
    assert [message for message in caplog.messages if "repeats" in message] == tries


def test_a_warmer_try_may_end(engine: MlxVlm, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "_recipe", replace(engine._recipe, temperatures=(0.0, 2.0)))
    (page,) = engine.read([tiny.black(tiny.LOOPS_ONCE)], Options())
    assert isinstance(page, PageText)
    assert page.plain
    assert page.warnings == ()


def test_text_before_a_repetition_is_kept(engine: MlxVlm, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "_recipe", replace(engine._recipe, temperatures=(0.0, 1.5)))
    (page,) = engine.read([tiny.black(tiny.LOOPS_LATE)], Options())
    assert isinstance(page, PageText)
    assert [warning.code for warning in page.warnings] == ["repetition"]
    assert page.plain
    assert not page.plain.endswith("NO NO NO NO NO")


def test_a_page_that_reaches_the_limit_on_tokens_keeps_its_text(
    engine: MlxVlm, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    monkeypatch.setattr(engine, "_recipe", replace(engine._recipe, max_tokens=5))
    for number in (1, 2):  # alone and in a batch
        pages = engine.read([tiny.render("ABC"), tiny.render("ABCDEFGH")][-number:], Options())
        long = pages[-1]
        assert isinstance(long, PageText)
        assert (long.plain, [warning.code for warning in long.warnings]) == ("ABCDE", ["cut_off"])
        assert "OCR_MLX_MAX_TOKENS" in long.warnings[0].message
        assert "repeats" not in caplog.text, "it is not read again"
    assert isinstance(pages[0], PageText)
    assert (pages[0].plain, pages[0].warnings) == ("ABC", ())


def test_a_page_is_stopped_before_its_child_is_killed(engine: MlxVlm, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "_settings", replace(engine._settings, page_seconds=0))
    assert read(engine, tiny.render("ABC")) == ["timeout"]
    assert read(engine, *tiny.pages(["ABC", "DEF"])) == ["timeout", "timeout"]


def test_a_cancelled_job_stops_its_page(engine: MlxVlm) -> None:
    with cancellable(lambda: True):
        assert read(engine, tiny.black()) == ["cancelled"]
        assert read(engine, *tiny.pages(["ABC", "DEF"])) == ["cancelled", "cancelled"]
    assert read(engine, tiny.render("ABC")) == ["ABC"]


def test_memory_is_freed_after_reading(engine: MlxVlm) -> None:
    give_back()
    before = memory_now()
    peaks = set()
    for size in (1, 4):
        read(engine, *tiny.pages(tiny.texts(size)))
        gc.collect()
        during = memory_now()
        assert during["cache"], "the cache was empty, so the test cannot show that it is cleared"
        peaks.add(during["peak"])
        give_back()
        after = memory_now()
        assert after["cache"] == 0
        assert after["active"] is not None
        assert before["active"] is not None
        assert abs(after["active"] - before["active"]) <= before["active"] / 100
    assert len(peaks) == 2, "the peak is not measured for each task separately"


def test_a_freed_engine_raises_and_can_be_loaded_again() -> None:
    with patch.dict(os.environ, OCR_MODEL=str(tiny.FOLDER), OCR_MLX_PROMPT=tiny.PROMPT):
        engine = MlxVlm()
    with pytest.raises(EngineFreed, match="no model loaded"):
        engine.read([tiny.render("ABC")], Options())
    for _ in range(2):
        engine.load(engine.default_model())
        assert read(engine, tiny.render("AGAIN 42")) == ["AGAIN 42"]
        engine.free_resources()
        with pytest.raises(EngineFreed, match=r"call load\(\) before read\(\)"):
            engine.read([], Options())


@pytest.mark.thorough
def test_a_prompt_with_the_token_of_the_image_is_refused_when_the_model_is_loaded() -> None:
    with patch.dict(os.environ, OCR_MODEL=str(tiny.FOLDER), OCR_MLX_PROMPT="Read <|image_pad|> well."):
        engine = MlxVlm()
    with pytest.raises(ModelUnavailable) as raised:
        engine.load(engine.default_model())
    assert raised.value.message.startswith("OCR_MLX_PROMPT holds <|image_pad|>,")
    assert "leave it out" in raised.value.message


@pytest.mark.thorough
def test_memory_limits_are_passed_to_mlx() -> None:
    with patch.dict(os.environ, OCR_MODEL=str(tiny.FOLDER), OCR_MLX_CACHE_MB="0"):
        settings = mlx_settings()
    import mlx.core as mx

    usual = mx.set_cache_limit(2**25)
    try:
        engine = MlxVlm(settings)
        engine.load(engine.default_model())
        engine.read([tiny.render("ABC")], Options())
        assert mx.get_cache_memory() == 0
        engine.free_resources()
    finally:
        mx.set_cache_limit(usual)
