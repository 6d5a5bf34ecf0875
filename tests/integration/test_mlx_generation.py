"""How a small real model is made to generate: sampling, blocked sequences, odd tokens, stop strings, turned pages."""

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import patch

import pytest
from PIL import Image

from ocrqueue.engines.mlx.answer import Answer, Bounds, Stop
from ocrqueue.engines.mlx.engine import MlxVlm
from ocrqueue.engines.mlx.generation import GREEDY, LoadedModel, Sampling, generate_batch, generate_one
from ocrqueue.engines.mlx.logits import RepetitionPenalty
from ocrqueue.engines.mlx.markup import PARSERS
from ocrqueue.engines.mlx.markup.parsed import Parsed, Parser
from ocrqueue.engines.mlx.reading import PageReader
from ocrqueue.engines.mlx.recipes import NgramBlock, Recipe
from ocrqueue.engines.mlx.view import View
from ocrqueue.errors import ModelUnavailable, PageError
from ocrqueue.options import Options
from ocrqueue.pages import Line, PageText
from tests.support import tiny
from tests.support.thorough import thorough_but

pytestmark = [
    pytest.mark.needs("mlx"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning"),
]
SHORT = Bounds(60, float("inf"), lambda: False)
WARM = Sampling(temperature=0.8, top_p=0.95, top_k=20, seed=3, repetition_penalty=1.1, ngram=NgramBlock(3, 20))


def loaded_from(folder: Path) -> MlxVlm:
    with patch.dict(os.environ, OCR_MODEL=str(folder), OCR_MLX_PROMPT=tiny.PROMPT):
        engine = MlxVlm()
    engine.load(engine.default_model())
    return engine


@pytest.fixture(scope="module")
def engine() -> Iterator[MlxVlm]:
    engine = loaded_from(tiny.FOLDER)
    yield engine
    engine.free_resources()


@pytest.fixture(autouse=True)
def batches_succeed(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Pages that are read together are not read one by one in the end."""
    yield
    assert "one by one" not in caplog.text


@pytest.fixture
def loaded(engine: MlxVlm) -> LoadedModel:
    assert engine._loaded is not None
    return engine._loaded


@pytest.fixture
def pages(loaded: LoadedModel) -> list[Image.Image]:
    """Pages as the model sees them; the last makes it repeat itself endlessly."""
    reader = PageReader(loaded, Recipe(""), SHORT)
    return [reader.show(page)[0] for page in [*tiny.pages(tiny.texts(3)), tiny.black()]]


def tokens_of(results: Sequence[Answer | Exception]) -> list[list[int]]:
    return [result.tokens for result in results if isinstance(result, Answer)]


@pytest.mark.parametrize(
    "sampling",
    [WARM, replace(WARM, temperature=2.0), Sampling(repetition_penalty=100), Sampling(ngram=NgramBlock(4))],
    ids=["warm", "hot", "penalty", "blocker"],
)
def test_a_batch_chooses_the_same_tokens_as_single_pages(
    loaded: LoadedModel, pages: list[Image.Image], sampling: Sampling
) -> None:
    alone = tokens_of([generate_one(loaded, page, SHORT, sampling) for page in pages])
    assert tokens_of(generate_batch(loaded, pages, SHORT, sampling)) == alone
    assert alone[-1] != generate_one(loaded, pages[-1], SHORT, GREEDY).tokens


def test_another_seed_gives_other_tokens(loaded: LoadedModel, pages: list[Image.Image]) -> None:
    found = [generate_one(loaded, pages[0], SHORT, Sampling(2.0, seed=seed)).tokens for seed in (1, 1, 2)]
    assert found[0] == found[1] != found[2]


@pytest.mark.thorough
def test_top_k_1_is_the_likeliest_token(loaded: LoadedModel, pages: list[Image.Image]) -> None:
    greedy = generate_one(loaded, pages[0], SHORT).tokens
    assert generate_one(loaded, pages[0], SHORT, Sampling(2.0, top_k=1)).tokens == greedy
    assert generate_one(loaded, pages[0], SHORT, Sampling(2.0, top_p=1e-6)).tokens == greedy
    assert generate_one(loaded, pages[0], SHORT, Sampling(2.0)).tokens != greedy


def sequences(tokens: list[int], size: int) -> list[tuple[int, ...]]:
    return [tuple(tokens[start : start + size]) for start in range(len(tokens) - size + 1)]


def test_a_blocked_sequence_is_not_repeated(loaded: LoadedModel, pages: list[Image.Image]) -> None:
    bounds = replace(SHORT, max_tokens=200)
    black = pages[-1]
    assert generate_one(loaded, black, bounds).stopped == Stop.RUNAWAY
    for page in (generate_one(loaded, black, bounds, Sampling(ngram=NgramBlock(4))), *generate_batch(
        loaded, [black, pages[0]], bounds, Sampling(ngram=NgramBlock(4))
    )[:1]):  # fmt: skip
        assert isinstance(page, Answer)
        found = sequences(page.tokens, 4)
        assert len(found) == len(set(found)) > 10


def test_an_exempt_token_may_be_repeated(loaded: LoadedModel, pages: list[Image.Image]) -> None:
    block = NgramBlock(4, exempt=("N", "O", "Ġ", "no such token"))
    bounds = replace(SHORT, max_tokens=200)
    assert generate_one(loaded, pages[-1], bounds, Sampling(ngram=block)).stopped == Stop.RUNAWAY


def test_the_penalty_counts_every_token_of_the_page_and_none_of_the_prompt() -> None:
    import mlx.core as mx

    penalty = RepetitionPenalty(2)
    steps = [penalty(mx.array([3, *page]), mx.array([[4.0, -4.0, 1.0, 1.0]])).tolist() for page in ([], [0], [0, 1])]
    assert steps == [[[4, -4, 1, 1]], [[2, -4, 1, 1]], [[2, -8, 1, 1]]]


@pytest.fixture(scope="module")
def odd(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The model, with added tokens in the place of K and Q that mlx-vlm's detokenizer cannot decode."""
    folder = tiny.copy_to(tmp_path_factory.mktemp("odd"))
    path = folder / "tokenizer.json"
    tokenizer = json.loads(path.read_text())
    vocabulary = tokenizer["model"]["vocab"]
    for old, new in (("K", "キ"), ("Q", "<｜Q｜>")):
        added = {"id": vocabulary.pop(old), "content": new, "special": False, "normalized": False}
        vocabulary[new] = added["id"]
        tokenizer["added_tokens"].append({**added, "single_word": False, "lstrip": False, "rstrip": False})
    path.write_text(json.dumps(tokenizer))
    return folder


@pytest.mark.thorough
def test_added_tokens_that_the_detokenizer_of_mlx_vlm_cannot_decode_cost_nothing(odd: Path) -> None:
    from mlx_vlm import generate, load

    engine = loaded_from(odd)
    assert engine._loaded is not None
    wanted = ["1キ2", "AB<｜Q｜>", "XYZ"]
    images = [tiny.render(*text.splitlines()) for text in ("1K2", "ABQ", "XYZ")]
    alone = [engine.read([image], Options())[0] for image in images]
    for found in (alone, engine.read(images, Options())):
        assert [page.plain if isinstance(page, PageText) else page.message for page in found] == wanted
    model, processor = load(str(odd))
    shown = PageReader(engine._loaded, engine._recipe, SHORT).show(images[0])[0]
    with pytest.raises(KeyError, match="キ"):
        generate(model, processor, engine._loaded.prompt, [shown], max_tokens=60, temperature=0)
    engine.free_resources()


@pytest.mark.parametrize("stops", [(), ("never",)], ids=["at the end", "while it is generated"])
def test_a_page_that_cannot_be_decoded_fails_alone(
    engine: MlxVlm, loaded: LoadedModel, monkeypatch: pytest.MonkeyPatch, stops: tuple[str, ...]
) -> None:
    decode, z = loaded.tokenizer.decode, loaded.tokenizer.get_vocab()["Z"]

    def fails(tokens: Sequence[int], **options: object) -> str:
        if z in tokens:
            raise KeyError("Z")
        return str(decode(tokens, **options))

    monkeypatch.setattr(loaded.tokenizer, "decode", fails)
    monkeypatch.setattr(engine, "_recipe", replace(engine._recipe, stops=stops))
    images = [tiny.render("ABC"), tiny.render("ZZZZ1234"), tiny.render("DEF")]
    alone = [engine.read([image], Options())[0] for image in images]
    for first, bad, last in (alone, engine.read(images, Options())):
        assert isinstance(first, PageText)
        assert isinstance(last, PageText)
        assert (first.plain, last.plain) == ("ABC", "DEF")
        assert bad == PageError("engine_error", "KeyError: 'Z'")


def test_a_stop_string_ends_a_page(engine: MlxVlm, monkeypatch: pytest.MonkeyPatch) -> None:
    images = [tiny.render("ABCDEFGH", "12345678", "XYZXYZXY"), tiny.render("AB", "123")]
    monkeypatch.setattr(engine, "_recipe", replace(engine._recipe, stops=("\n12",)))
    alone = [engine.read([image], Options())[0] for image in images]
    for found in (alone, engine.read(images, Options())):
        assert [(page.plain, page.warnings) for page in found if isinstance(page, PageText)] == [
            ("ABCDEFGH", ()),
            ("AB", ()),
        ]


def turning(turn: int, valid: str) -> Parser:
    """A parser that says `turn` unless the page has this text, and puts a box around the top left corner."""

    def parse(answer: str, view: View) -> Parsed:
        box = (view.point(0, 0), view.point(20, 0), view.point(20, 10), view.point(0, 10))
        return Parsed(PageText([Line(answer, box)], answer), 0 if answer == valid else turn)

    return parse


@pytest.mark.parametrize(("turn", "corner"), [(90, (0, 1)), (180, (1, 1)), (270, (1, 0))])
def test_a_page_that_the_model_wants_turned_is_read_once_more(
    engine: MlxVlm, monkeypatch: pytest.MonkeyPatch, turn: int, corner: tuple[int, int]
) -> None:
    monkeypatch.setitem(PARSERS, "turning", turning(turn, "ABC 123"))
    monkeypatch.setattr(engine, "_recipe", replace(engine._recipe, output="turning"))
    page = tiny.render("ABC 123").rotate(turn, expand=True)
    (found,) = engine.read([page], Options())
    assert isinstance(found, PageText)
    assert found.plain == "ABC 123"
    assert found.lines[0].box[0] == (corner[0] * page.width, corner[1] * page.height)


def test_the_first_reading_is_kept_if_turning_does_not_help(engine: MlxVlm, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(PARSERS, "turning", turning(180, "something else"))
    monkeypatch.setattr(engine, "_recipe", replace(engine._recipe, output="turning"))
    (found,) = engine.read([tiny.render("ABC 123")], Options())
    assert isinstance(found, PageText)
    assert found.plain == "ABC 123"
    assert found.lines[0].box[0] == (0, 0)


@pytest.mark.parametrize("tries", thorough_but(1, [2, 1, 3]))
def test_a_cancelled_job_stops_every_try(loaded: LoadedModel, tries: int) -> None:
    asked = 0

    def is_cancelled() -> bool:
        nonlocal asked
        asked += 1
        return asked > 160 * tries - 80

    reader = PageReader(loaded, Recipe(""), replace(SHORT, max_tokens=1000, is_cancelled=is_cancelled))
    assert [page.code for page in reader.read([tiny.black()]) if isinstance(page, PageError)] == ["cancelled"]
    assert asked == 160 * tries - 79, "it was not stopped at once"


@pytest.mark.parametrize("tries", thorough_but(1, [2, 1, 3]))
def test_the_time_limit_covers_all_tries(loaded: LoadedModel, monkeypatch: pytest.MonkeyPatch, tries: int) -> None:
    ticks = iter(range(10_000))
    monkeypatch.setattr("ocrqueue.engines.mlx.answer.time", SimpleNamespace(monotonic=lambda: next(ticks)))
    reader = PageReader(loaded, Recipe(""), replace(SHORT, max_tokens=1000, deadline=160 * tries - 80))
    assert [page.code for page in reader.read([tiny.black()]) if isinstance(page, PageError)] == ["timeout"]
    assert next(ticks) == 160 * tries - 78


def test_the_error_of_a_type_s_own_processor_is_shown(tmp_path: Path) -> None:
    from mlx_vlm import load
    from mlx_vlm.models.qwen2_vl.processing_qwen2_vl import Qwen2VLProcessor

    folder = tiny.copy_to(tmp_path)
    path = folder / "preprocessor_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "min_pixels": None, "size": 5}))
    with pytest.raises(AttributeError, match="no attribute 'get'") as own:
        Qwen2VLProcessor.from_pretrained(str(folder))
    with pytest.raises(TypeError, match="item assignment"):  # what mlx-vlm shows instead
        load(str(folder), trust_remote_code=False)
    with pytest.raises(ModelUnavailable, match=f"AttributeError: {own.value}; fetch it again"):
        loaded_from(folder)


@pytest.mark.thorough
def test_other_errors_are_shown_as_they_are(tmp_path: Path) -> None:
    folder = tiny.copy_to(tmp_path)
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "hidden_size": 64}))
    with pytest.raises(ModelUnavailable, match="ValueError: Expected shape"):
        loaded_from(folder)
