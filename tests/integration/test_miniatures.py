"""Every type of model that has a recipe, as a very small model: prompt, image tokens, answer, boxes and memory.

A miniature has random weights, and the configuration, special tokens, processor settings and chat template of the
authors. The engine loads it from a model directory, as it loads a real model. That it reads well is not tested here.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from ocrqueue.engines.mlx.recipes import prompts
from ocrqueue.engines.mlx.recipes.table import RECIPES, normal_type
from ocrqueue.errors import ModelUnavailable
from ocrqueue.options import Options
from ocrqueue.pages import PageText
from tests.support.miniatures import FAMILIES
from tests.support.miniatures.builder import build
from tests.support.miniatures.reading import Reading, decode, opened, read_once
from tests.support.thorough import thorough_but

pytestmark = [
    pytest.mark.needs("mlx"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning"),
]
MARKDOWN = "# A heading\n\nSome words of text."
PAGE = (224, 280)
NARROW = (80, 280)  # for models that scale each page to a long side


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the authors' documents say about one model."""

    prompt: str  # finished, as the model gets it: `<token>×N` is a token N times
    size: tuple[int, int] = PAGE  # of the page, pixels
    markdown: str | None = MARKDOWN  # of the page; None: plain text only
    lines: int = 0  # with boxes


def chatml(text: str, system: str = "") -> str:
    """A finished prompt in ChatML."""
    return f"{system}<|im_start|>user\n{text}<|im_end|>\n<|im_start|>assistant\n"


QWEN = "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n"
QWEN_IMAGE = "<|vision_start|><|image_pad|>×80<|vision_end|>"  # 224 x 280 pixels in cells of 28 x 28
GROUNDED = f"<｜begin▁of▁sentence｜><image>×{17 * 16 + 1}\n<|grounding|>Convert the document to markdown."
WANTED = {
    "GLM-OCR-bf16": Wanted(
        "[gMASK]<sop><|user|>\n<|begin_of_image|><|image|>×80<|end_of_image|>Text Recognition:<|assistant|>\n"
    ),
    # The page is enlarged to 147,384 pixels: 13 x 16 cells of 28 x 28.
    "PaddleOCR-VL-1.5-bf16": Wanted(
        "<|begin_of_sentence|>User: <|IMAGE_START|><|IMAGE_PLACEHOLDER|>×208<|IMAGE_END|>OCR:\nAssistant:\n",
        markdown=None,
    ),
    "dots.mocr-4bit": Wanted(
        f"<|user|><|img|><|imgpad|>×80<|endofimg|>{prompts.DOTS}<|endofuser|><|assistant|>", lines=2
    ),
    # The page is padded to 256 x 320 pixels and enlarged to 512 x 512: 18 rows of 15 cells of 32 x 32, each with a
    # token for its end, and two more.
    "HunyuanOCR": Wanted(
        "<｜hy_begin▁of▁sentence｜><｜hy_place▁holder▁no▁3｜><｜hy_place▁holder▁no▁100｜>"
        f"<｜hy_place▁holder▁no▁102｜>×{18 * 16 + 2}<｜hy_place▁holder▁no▁101｜>{prompts.HUNYUAN}<｜hy_User｜>"
    ),
    "DeepSeek-OCR-8bit": Wanted(GROUNDED, lines=2, markdown="## A heading\n\nSome words of text."),
    # The authors cut no page up to 768 x 768 pixels into tiles, and would need 257 tokens. mlx-vlm makes 2 x 3 tiles.
    "DeepSeek-OCR-2-8bit": Wanted(
        GROUNDED.replace("×273", f"×{6 * 144 + 257}"), lines=2, markdown="## A heading\n\nSome words of text."
    ),
    "Unlimited-OCR": Wanted("<｜begin▁of▁sentence｜><image>×273document parsing.", lines=2),
    "NVIDIA-Nemotron-Parse-v1.2-8bit": Wanted(prompts.NEMOTRON, lines=2),
    # 24 x 24 cells of the page at 768 x 768 pixels, and one for the whole page.
    "Florence-2-base-ft-8bit": Wanted(
        "<image>×577<s>What is the text in the image, with regions?</s>",
        lines=2,
        markdown=None,
    ),
    "GOT-OCR2_0-8bit": Wanted(
        "<|im_start|>system\n        You should follow the instructions carefully and explain your answers in detail."
        "<|im_end|><|im_start|>user\n<img><imgpad>×256</img>\nOCR: <|im_end|><|im_start|>assistant\n",
        markdown=None,
    ),
    # 293 x 1024 pixels in cells of 16 x 16.
    "Falcon-OCR": Wanted(
        "<|image_cls|><|image_reg_1|><|image_reg_2|><|image_reg_3|><|image_reg_4|><|image|>×1152<|end_of_image|>"
        "Extract the text content from this image.\n<|OCR_PLAIN|>",
        NARROW,
        markdown=None,
    ),
}
TILES = "".join(
    f"<fake_token_around_image><row_{row}_col_1><image>×64<fake_token_around_image><row_{row}_col_2><image>×64\n"
    for row in range(1, 5)
)
TILES += "\n<fake_token_around_image><global-img><image>×64<fake_token_around_image>"  # the page has 2 x 4 tiles
DOCTAGS: dict[str, Any] = {"size": NARROW, "lines": 2, "markdown": "## A heading\n\nSome words of text."}
WANTED |= {
    "granite-docling-258M-mlx": Wanted(
        f"<|start_of_role|>user<|end_of_role|>{TILES}Convert this page to docling.<|end_of_text|>\n"
        "<|start_of_role|>assistant<|end_of_role|>", **DOCTAGS
    ),
    "SmolDocling-256M-preview-mlx-bf16": Wanted(
        f"<|im_start|>User:{TILES}Convert this page to docling.<end_of_utterance>\nAssistant:", **DOCTAGS
    ),
    # 24 x 24 cells of the whole page, and 24 rows of 20 cells of the page in its own proportions, each with its end.
    "granite-vision-3.3-2b-bf16": Wanted(
        f"<|user|>\n<image>×{24 * 24 + 24 * 21}\n{prompts.PAGE_TO_MARKDOWN}\n<|assistant|>\n"
    ),
    "granite-4.0-3b-vision": Wanted(  # half as many rows and columns
        f"<|start_of_role|>user<|end_of_role|><image>×{12 * 12 + 12 * 11}{prompts.PAGE_TO_MARKDOWN}<|end_of_text|>\n"
        "<|start_of_role|>assistant<|end_of_role|>"
    ),
    # 440 x 1540 pixels: 55 rows of 16 cells of 28 x 28.
    "LightOnOCR-2-1B-bf16": Wanted(
        chatml(
            "<|image_pad|>×16<|vision_pad|>" * 54 + "<|image_pad|>×16<|vision_end|>", "<|im_start|>system<|im_end|>\n"
        ), NARROW,
    ),
    "Qwen2-VL-2B-Instruct-4bit": Wanted(chatml(prompts.PAGE_TO_MARKDOWN + QWEN_IMAGE, QWEN)),
    "Qwen2.5-VL-3B-Instruct-4bit": Wanted(chatml(QWEN_IMAGE + prompts.PAGE_TO_MARKDOWN, QWEN)),
    # The longest side has 1288 pixels: 46 rows of 13 cells.
    "olmOCR-2-7B-1025-8bit": Wanted(
        chatml(prompts.OLMOCR + QWEN_IMAGE.replace("×80", f"×{46 * 13}"), QWEN), NARROW
    ),
    "Nanonets-OCR2-3B-4bit": Wanted(chatml(QWEN_IMAGE + prompts.NANONETS, QWEN)),
    # 256 x 320 pixels in cells of 32 x 32
    "Qwen3-VL-4B-Instruct-4bit": Wanted(chatml(QWEN_IMAGE + prompts.PAGE_TO_MARKDOWN)),
}  # fmt: skip
# Image tokens of an A4 page, rendered and scaled as the recipe says: rows x columns of what one token stands for.
A4 = {
    "GLM-OCR-bf16": 80 * 56,
    "PaddleOCR-VL-1.5-bf16": 40 * 28,
    "dots.mocr-4bit": 80 * 56,
    "HunyuanOCR": 80 * (48 + 1) + 2,
    "DeepSeek-OCR-8bit": 16 * (16 + 1) + 1 + 30 * (20 + 1),  # the page at 1024 x 1024, and 2 x 3 tiles of 10 x 10
    "DeepSeek-OCR-2-8bit": 256 + 1 + 6 * 144,  # as the authors
    "Unlimited-OCR": 16 * (16 + 1) + 1 + 60 * (40 + 1),  # 4 x 6 tiles
    "NVIDIA-Nemotron-Parse-v1.2-8bit": 1,  # none: each token of the prompt occurs once
    "Florence-2-base-ft-8bit": 24 * 24 + 1,
    "GOT-OCR2_0-8bit": 16 * 16,
    "Falcon-OCR": 64 * 45,
    "granite-docling-258M-mlx": (4 * 3 + 1) * 64,
    "SmolDocling-256M-preview-mlx-bf16": (4 * 3 + 1) * 64,
    "granite-vision-3.3-2b-bf16": 24 * 24 + 48 * (34 + 1),
    "granite-4.0-3b-vision": 12 * 12 + 24 * (16 + 1),
    "LightOnOCR-2-1B-bf16": 55 * 39,
    "Qwen2-VL-2B-Instruct-4bit": 48 * 40,
    "Qwen2.5-VL-3B-Instruct-4bit": 48 * 40,
    "olmOCR-2-7B-1025-8bit": 46 * 33,
    "Nanonets-OCR2-3B-4bit": 56 * 40,
    "Qwen3-VL-4B-Instruct-4bit": 48 * 32,
}


@pytest.fixture(scope="module", params=thorough_but(["GLM-OCR-bf16", "dots.mocr-4bit"], sorted(FAMILIES)))
def model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Reading]:
    """The name of each miniature, and what happened when it read a page."""
    name: str = request.param
    directory = tmp_path_factory.mktemp("models")
    build(FAMILIES[name], directory / name)
    return name, read_once(name, directory, WANTED[name].size)


def test_every_type_of_a_recipe_has_a_miniature() -> None:
    types = {normal_type(family.config(lambda _: 0, 1)["model_type"]) for family in FAMILIES.values()}
    no_ocr = {"inkling", "internvl_chat", "moondream2"}  # have an entry only because mlx-vlm runs their code
    assert types | no_ocr == {kind for known in RECIPES if not known.recipe.refused for kind in known.types}


def test_a_model_gets_the_prompt_and_the_image_tokens_that_its_authors_document(model: tuple[str, Reading]) -> None:
    name, reading = model
    assert reading.prompt == WANTED[name].prompt
    assert reading.a4 == A4[name]


def test_a_model_gets_a_vector_for_each_token(model: tuple[str, Reading]) -> None:
    name, reading = model
    if name == "granite-vision-3.3-2b-bf16":
        # mlx-vlm puts 2 tiles of 24 x 24 cells, and as many ends of rows, in the place of the image's 1080 tokens.
        assert reading.embedded == reading.tokens - 1080 + 2 * 2 * 576
    elif name == "NVIDIA-Nemotron-Parse-v1.2-8bit":
        assert reading.embedded == 128 * 104 / 4 + 1  # of the image alone; the prompt is the decoder's
    else:
        assert reading.embedded == reading.tokens


def test_an_answer_ends_at_the_stop_token_and_is_parsed(model: tuple[str, Reading]) -> None:
    name, reading = model
    page, wanted = reading.page, WANTED[name]
    assert isinstance(page, PageText)
    assert (page.plain, page.markdown, page.warnings) == (FAMILIES[name].plain, wanted.markdown, ())
    assert len(page.lines) == wanted.lines
    assert all(0 <= x <= wanted.size[0] and 0 <= y <= wanted.size[1] for line in page.lines for x, y in line.box)


def test_memory_is_given_back(model: tuple[str, Reading]) -> None:
    _, reading = model
    before, loaded, after = reading.active
    assert loaded - before > 300_000
    assert after - before < 4096
    assert reading.cache == 0


@pytest.mark.thorough
def test_the_decoder_of_nemotron_parse_begins_with_the_prompt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The tokenizer would put <s> and </s> around it, which are 0 and 2; the decoder must not get these."""
    from mlx_vlm.models.nemotron_parse.language import NemotronParseDecoder

    given: list[list[int]] = []
    call = NemotronParseDecoder.__call__

    def recorded(self: Any, *args: Any, **more: Any) -> Any:
        given.append(more["input_ids"].tolist()[0])
        return call(self, *args, **more)

    monkeypatch.setattr(NemotronParseDecoder, "__call__", recorded)
    name = "NVIDIA-Nemotron-Parse-v1.2-8bit"
    build(FAMILIES[name], tmp_path / name)
    engine = opened(name, tmp_path)
    engine.read([Image.new("RGB", PAGE, "white")], Options())
    assert given[0][:2] == [2, 0]
    assert decode(engine, given[0]) == prompts.NEMOTRON
    assert {len(step) for step in given[1:]} == {1}
    engine.free_resources()


@pytest.mark.thorough
def test_got_is_refused_unless_it_is_trusted(tmp_path: Path) -> None:
    name = "GOT-OCR2_0-8bit"
    build(FAMILIES[name], tmp_path / name)
    with pytest.raises(ModelUnavailable, match="OCR_TRUSTED_MODELS"):
        opened(name, tmp_path, trusted=())


@pytest.mark.thorough
def test_mlx_vlm_reorders_the_weights_of_falcon_at_every_load(tmp_path: Path) -> None:
    """So only the authors' own folder is right: a conversion is reordered twice. Fails when mlx-vlm is mended."""
    import mlx.core as mx

    name = "Falcon-OCR"
    build(FAMILIES[name], tmp_path / name)
    engine = opened(name, tmp_path)
    assert engine._loaded is not None
    network = engine._loaded.model
    given = {"language_model.model.layers.0.mlp.w13.weight": mx.arange(4)[:, None]}
    once = network.sanitize(dict(given))
    assert once["language_model.model.layers.0.mlp.w13.weight"].flatten().tolist() == [0, 2, 1, 3]
    engine.free_resources()
