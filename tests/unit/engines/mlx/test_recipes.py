"""Which recipe a model gets, and that each recipe says what the authors of its models say."""

import re

import pytest

from ocrqueue.engines.mlx.markup import PARSERS
from ocrqueue.engines.mlx.recipes import DEFAULT, RECIPES, NgramBlock, normal_type, prompts, recipe_for
from ocrqueue.engines.mlx.settings import mlx_settings


@pytest.mark.parametrize(
    ("model_type", "name", "output"),
    [
        ("glm_ocr", "mlx-community/GLM-OCR-bf16", "markdown"),
        ("paddleocr_vl", "mlx-community/PaddleOCR-VL-1.5-bf16", "text"),
        ("DeepseekOCR", "mlx-community/DeepSeek-OCR-8bit", "grounded"),
        ("deepseekocr_2", "x", "grounded"),
        ("unlimited-ocr", "baidu/Unlimited-OCR", "grounded"),
        ("nemotron_parse", "x", "nemotron"),
        ("dots_ocr", "mlx-community/dots.mocr-4bit", "dots"),
        ("GOT", "x", "text"),
        ("falcon_ocr", "tiiuae/Falcon-OCR", "text"),
        ("hunyuan_vl", "tencent/HunyuanOCR", "markdown"),
        ("idefics3", "ibm-granite/granite-docling-258M-mlx", "doctags"),
        ("smolvlm", "SmolDocling-256M-preview", "doctags"),
        ("florence2", "x", "florence"),
        ("qwen2_5_vl", "mlx-community/olmOCR-2-7B-1025-8bit", "olmocr"),
        ("qwen2_5_vl", "x/Nanonets-OCR-s", "markdown"),
        ("qwen2_5_vl", "x/Qwen2.5-VL-3B", "markdown"),
        ("granite4_vision", "x", "markdown"),
        ("granite-vision", "x", "markdown"),
        ("moondream1", "x", "markdown"),
        ("mistral3", "lightonai/LightOnOCR-2-1B", "markdown"),
    ],
)
def test_each_type_of_model_has_its_recipe(model_type, name, output):
    recipe = recipe_for(model_type, name)
    assert recipe.output == output
    assert recipe is not DEFAULT


def test_an_unknown_model_is_asked_for_markdown():
    assert recipe_for("idefics3", "some/other") is recipe_for("new_type", "x") is DEFAULT
    assert recipe_for("deepseek_vl_v2", "x", ["DeepseekVLV2ForCausalLM"]) is DEFAULT
    assert DEFAULT.prompt == "Convert this page to markdown. Do not miss any text and only output the bare markdown!"


def test_the_prompt_of_olmocr_is_that_of_its_version():
    newest = recipe_for("qwen2_5_vl", "allenai/olmOCR-2-7B-1025")
    july, august = (recipe_for("qwen2_5_vl", f"olmOCR-7B-{month}-FP8") for month in ("0725", "0825"))
    february = recipe_for("qwen2_vl", "mlx-community/olmOCR-7B-0225-preview-4bit")
    assert [recipe.text_first for recipe in (newest, august, july, february)] == [True, True, False, True]
    assert "tables to HTML.\nIf there are any figures or charts, label them" in newest.prompt
    assert "(page_startx_starty_width_height.png)\nReturn your output as markdown, with a front" in newest.prompt
    assert "tables to markdown.\nReturn your output as markdown, with a front" in july.prompt
    assert july.prompt == august.prompt
    assert february.prompt.endswith("Do not hallucinate.\nRAW_TEXT_START\n\nRAW_TEXT_END")
    assert newest.temperatures == (0.1, 0.1, 0.2, 0.3, 0.5, 0.8, 0.9, 1.0)
    assert (newest.longest, newest.buckets, newest.max_tokens, february.longest) == (1288, False, 8000, 1024)


def test_the_whole_prompt_of_nanonets_is_used_and_its_image_comes_first():
    for model_type, name in (("qwen2_5_vl", "Nanonets-OCR2-3B"), ("qwen2_vl", "Nanonets-OCR2-1.5B-exp")):
        recipe = recipe_for(model_type, name)
        assert recipe.prompt == prompts.NANONETS
        assert (recipe.text_first, recipe.max_tokens) == (False, 15_000)
    for words in ("<img></img>", "<watermark>OFFICIAL COPY</watermark>", "<page_number>14</page_number>", "☐ and ☑"):
        assert words in prompts.NANONETS


@pytest.mark.parametrize(
    ("model_type", "name", "tokens", "dpi", "pixels", "longest"),
    [
        ("glm_ocr", "", 8192, 200, 4_000_000, None),
        ("paddleocr_vl", "", 8192, 150, 1_003_520, None),
        ("deepseekocr", "", 8192, 150, 4_000_000, None),
        ("unlimited_ocr", "", 32_768, 300, 9_000_000, None),
        ("nemotron_parse", "", 9000, 150, 4_000_000, None),
        ("dots_ocr", "", 16_384, 200, 4_000_000, None),
        ("got", "", 4096, 150, 4_000_000, None),
        ("falcon_ocr", "", 4096, 150, 1_600_000, 1024),
        ("hunyuan_vl", "", 16_384, 200, 2048 * 2048, None),
        ("idefics3", "docling", 8192, 144, 4_000_000, None),
        ("florence2", "", 1024, 150, 4_000_000, None),
        ("mistral3", "lightonocr", 4096, 200, 1_600_000, 1540),
    ],
)
def test_limits_and_sizes_are_those_of_the_authors(model_type, name, tokens, dpi, pixels, longest):
    recipe = recipe_for(model_type, name)
    assert (recipe.max_tokens, recipe.dpi, recipe.max_pixels, recipe.longest) == (tokens, dpi, pixels, longest)


def test_repeated_sequences_are_forbidden_where_the_authors_do_so():
    assert recipe_for("deepseekocr", "").ngram == NgramBlock(20, 50, ("<td>", "</td>"))
    assert recipe_for("unlimited_ocr", "").ngram == NgramBlock(35, 128)
    assert recipe_for("got", "").ngram == NgramBlock(20)
    assert {model.types[0] for model in RECIPES if model.recipe.ngram} == {
        "deepseekocr", "deepseek_vl_v2", "unlimited_ocr", "got",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("model_type", "field", "value"),
    [
        ("glm_ocr", "repetition_penalty", 1.1),
        ("glm_ocr", "no_thinking", False),
        ("nemotron_parse", "repetition_penalty", 1.1),
        ("hunyuan_vl", "system", ""),
        ("got", "runs_code", True),
        ("got", "stops", ("<|im_end|>",)),
    ],
)
def test_what_is_particular_to_a_type(model_type, field, value):
    assert getattr(recipe_for(model_type, ""), field) == value
    assert getattr(DEFAULT, field) != value


def test_only_docling_ends_at_its_closing_tag():
    assert "</doctag>" in recipe_for("idefics3", "granite-docling").stops
    assert DEFAULT.stops == ()


@pytest.mark.parametrize("known", RECIPES, ids=lambda known: f"{known.types[0]} {known.name}")
def test_each_recipe_is_complete(known):
    recipe = known.recipe
    assert all(normal_type(kind) == kind for kind in known.types)
    assert recipe.output in PARSERS
    assert recipe.template or not recipe.system
    assert recipe.mark == "" or not recipe.template
    assert recipe.temperatures == tuple(sorted(recipe.temperatures))
    assert recipe.licence or recipe.runs_code or recipe.prompt == prompts.PAGE_TO_MARKDOWN
    assert re.compile(known.name)
    assert recipe_for(known.types[0], "", ["DeepseekOCRForCausalLM"]) == recipe or known.name


def test_repr_changes_with_the_text_and_with_nothing_else():
    recipe = recipe_for("deepseekocr", "")
    without = {"files", "batch", "tasks", "runs_code", "refused", "licence", "experimental"}
    for field in recipe.__dataclass_fields__.values():
        shown = field.name in repr(recipe)
        assert shown == (field.name not in without)


def test_spotting_has_its_own_words_and_pixels(monkeypatch):
    monkeypatch.setenv("OCR_MLX_OUTPUT", "spotting")
    paddle = mlx_settings().adjusted(recipe_for("paddleocr_vl", ""))
    assert (paddle.prompt, paddle.output, paddle.max_pixels) == ("Spotting:", "spotting", 1_605_632)
    assert paddle.doubled_below == 1500
    monkeypatch.setenv("OCR_MLX_PROMPT", "Seal Recognition:")
    assert mlx_settings().adjusted(recipe_for("paddleocr_vl", "")).prompt == "Seal Recognition:"
