"""When generating a page ends, with very small models: token limit, stop strings, loops, cancelling; and batches.

These models write a known answer, the same answer again and again, or random tokens.
"""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image, ImageDraw

from ocrqueue.engines.mlx.answer import Bounds, Stop
from ocrqueue.engines.mlx.generation import generate_batch, generate_one
from ocrqueue.engines.mlx.recipes.table import RECIPES, normal_type
from ocrqueue.errors import PageError
from ocrqueue.options import Options
from ocrqueue.pages import PageText
from ocrqueue.process.cancellation import cancellable
from ocrqueue.states import WarningCode
from tests.support.miniatures import FAMILIES
from tests.support.miniatures.builder import Script, build
from tests.support.miniatures.engine import Miniature
from tests.support.miniatures.family import Family
from tests.support.miniatures.reading import opened
from tests.support.thorough import thorough_but

pytestmark = [
    pytest.mark.needs("mlx"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning"),
]
WHITE = Image.new("RGB", (80, 280), "white")
GLM, DEEPSEEK, UNLIMITED, DOCLING = "GLM-OCR-bf16", "DeepSeek-OCR-8bit", "Unlimited-OCR", "granite-docling-258M-mlx"
FLORENCE, DOTS = "Florence-2-base-ft-8bit", "dots.mocr-4bit"
# Types that get the same tokens in a batch as alone, and those that do not:
SAME = {"dots_ocr", "deepseekocr", "got", "mistral3", "qwen2_vl", "qwen2_5_vl"}
# mlx-vlm keeps the positions of the last image in the network, or loses those of padded rows. Unlimited-OCR's
# attention window is missing in batches, which shows once a page is longer than the window.
WRONG = {"glm_ocr", "paddleocr_vl", "qwen3_vl", "unlimited_ocr"}
# mlx-vlm cannot put pages of different sizes, or any, together.
FAILS = {
    "hunyuan_vl", "deepseekocr_2", "nemotron_parse", "florence2", "falcon_ocr", "granite_vision", "granite4_vision",
    "idefics3", "smolvlm",
}  # fmt: skip


def kind_of(family: Family) -> str:
    """The type of a model, as recipes name it."""
    return normal_type(str(family.config(lambda _: 0, 1)["model_type"]))


ONE_EACH = sorted({kind_of(family): family.name for family in reversed(FAMILIES.values())}.items())


@contextmanager
def loaded(family: Family, folder: Path, script: Script = Script.ANSWER, **changes: object) -> Iterator[Miniature]:
    """An engine that has loaded a model of this family."""
    build(family, folder / family.name, script)
    engine = opened(family.name, folder, **changes)
    try:
        yield engine
    finally:
        engine.free_resources()


def read(engine: Miniature) -> PageText | PageError:
    """One white page."""
    (page,) = engine.read([WHITE], Options())
    return page


def codes(page: PageText | PageError) -> list[str]:
    """The warnings of a page that was read."""
    assert isinstance(page, PageText)
    return [warning.code for warning in page.warnings]


@pytest.mark.parametrize(
    ("name", "limit", "text"), thorough_but(1, [(GLM, 2, "A heading"), (FLORENCE, 9, "Some words")])
)
def test_a_page_that_reaches_the_limit_keeps_its_text_with_a_warning(
    name: str, limit: int, text: str, tmp_path: Path
) -> None:
    with loaded(FAMILIES[name], tmp_path, max_tokens=limit) as engine:
        page = read(engine)
    assert isinstance(page, PageText)
    assert (page.plain, codes(page)) == (text, [WarningCode.CUT_OFF])


@pytest.mark.thorough
def test_a_stop_string_ends_a_page_although_the_model_goes_on(tmp_path: Path) -> None:
    family = FAMILIES[DOCLING]
    with loaded(replace(family, answer=(*family.answer, *(f" word {n}" for n in range(30)))), tmp_path) as engine:
        page = read(engine)
        assert engine._loaded is not None
        bounds = Bounds(100, float("inf"), lambda: False, engine._recipe.stops)
        tokens = generate_one(engine._loaded, WHITE, bounds).tokens
    assert isinstance(page, PageText)
    assert (page.plain, page.warnings) == ("A heading\n\nSome words of text.", ())
    assert len(tokens) < 20


@pytest.mark.thorough
@pytest.mark.parametrize("name", [DEEPSEEK, UNLIMITED])
def test_a_loop_is_blocked_where_the_authors_block_it(name: str, tmp_path: Path) -> None:
    """The stop token is the second choice everywhere, so the page ends where the first token is forbidden."""
    with loaded(FAMILIES[name], tmp_path, Script.LOOP) as engine:
        page, block = read(engine), engine._recipe.ngram
        assert block is not None
        loop = len(FAMILIES[name].answer) - 1
        assert codes(page) == []
        assert isinstance(page, PageText)
        # The sequence that begins with the loop may not come twice: the last token of the second one is forbidden.
        assert page.plain.count("Some words of text.") == (loop + block.size - 1) // loop


def test_a_loop_that_nothing_blocks_is_cut_where_it_begins_again(tmp_path: Path) -> None:
    with loaded(FAMILIES[GLM], tmp_path, Script.LOOP) as engine:
        page = read(engine)
    assert codes(page) == [WarningCode.REPETITION]
    assert isinstance(page, PageText)
    assert page.plain == "A heading\n\nSome words of text."


@pytest.mark.parametrize("name", thorough_but(1, [GLM, FLORENCE, DEEPSEEK]))
def test_a_cancelled_job_stops_in_the_middle_of_a_page(name: str, tmp_path: Path) -> None:
    answers = iter([False, False, True])  # before the page, and after each token
    with loaded(FAMILIES[name], tmp_path) as engine:
        assert engine._loaded is not None
        page = generate_one(engine._loaded, WHITE, Bounds(1000, float("inf"), lambda: next(answers)))
        assert page.stopped == Stop.CANCELLED
        assert 0 < len(page.tokens) < len(FAMILIES[name].answer)
        with cancellable(lambda: True):
            assert read(engine) == PageError("cancelled", "the job was cancelled while this page was read")
        assert isinstance(read(engine), PageText)


@pytest.mark.thorough
def test_an_odd_added_token_costs_nothing(tmp_path: Path) -> None:
    """mlx-vlm's own detokenizer fails for an added token outside the byte alphabet."""
    family = FAMILIES[GLM]
    odd = "<｜キ｜>"
    family = replace(family, specials=(*family.specials, odd), answer=(*family.answer, odd, "The end."))
    with loaded(family, tmp_path) as engine:
        page = read(engine)
    assert isinstance(page, PageText)
    assert page.plain == f"A heading\n\nSome words of text.{odd}The end."


def pages() -> list[Image.Image]:
    """Pages of two sizes with coloured rectangles, so that random networks answer each in another way."""
    draw, found = random.Random(3), []
    for height in (280, 168):
        page = Image.new("RGB", (112, height), "white")
        for _ in range(6):
            x, y = draw.randrange(100), draw.randrange(height - 20)
            colour = (draw.randrange(255), draw.randrange(255), 0)
            ImageDraw.Draw(page).rectangle((x, y, x + 40, y + 30), fill=colour)
        found.append(page)
    return found


def test_every_type_is_tested_in_batches() -> None:
    assert [kind for kind, _ in ONE_EACH] == sorted(SAME | WRONG | FAILS)


def test_only_types_whose_batches_give_the_same_text_are_read_in_batches() -> None:
    assert {kind for known in RECIPES if known.recipe.batch > 1 for kind in known.types} <= SAME


@pytest.mark.parametrize(("kind", "name"), thorough_but([("qwen2_vl", "Qwen2-VL-2B-Instruct-4bit")], ONE_EACH))
def test_tokens_of_a_batch(kind: str, name: str, tmp_path: Path) -> None:
    """Expectations of types that mlx-vlm reads wrongly in batches fail when it is mended: then raise `Recipe.batch`."""
    bounds = Bounds(16, float("inf"), lambda: False)
    with loaded(FAMILIES[name], tmp_path, Script.NONE) as engine:
        assert engine._loaded is not None
        if kind in FAILS:
            with pytest.raises(ValueError, match=r"concatenate|broadcast|Slice"):
                generate_batch(engine._loaded, pages(), bounds)
            return
        alone = [generate_one(engine._loaded, page, bounds).tokens for page in pages()]
        together = [getattr(page, "tokens", page) for page in generate_batch(engine._loaded, pages(), bounds)]
        assert (together == alone) == (kind in SAME)
