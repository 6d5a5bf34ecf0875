"""The prompt and the output format of each type of model."""

import pytest

from ocrqueue.engines.mlx.recipes import DEFAULT, recipe_for


@pytest.mark.parametrize(
    ("model_type", "name", "output"),
    [
        ("glm_ocr", "mlx-community/GLM-OCR-bf16", "markdown"),
        ("paddleocr_vl", "mlx-community/PaddleOCR-VL-1.5-bf16", "text"),
        ("deepseekocr", "mlx-community/DeepSeek-OCR-8bit", "grounded"),
        ("deepseekocr_2", "x", "grounded"),
        ("unlimited_ocr", "baidu/Unlimited-OCR", "grounded"),
        ("nemotron_parse", "x", "nemotron"),
        ("dots_ocr", "mlx-community/dots.mocr-4bit", "dots"),
        ("got", "x", "text"),
        ("hunyuan_vl", "tencent/HunyuanOCR", "markdown"),
        ("idefics3", "ibm-granite/granite-docling-258M-mlx", "doctags"),
        ("florence2", "x", "florence"),
        ("qwen2_vl", "mlx-community/olmOCR-7B-0225-preview-4bit", "olmocr"),
        ("qwen2_5_vl", "x/Nanonets-OCR-s", "markdown"),
        ("qwen2_5_vl", "x/Qwen2.5-VL-3B", "markdown"),
    ],
)
def test_each_type_of_model_has_its_recipe(model_type, name, output):
    recipe = recipe_for(model_type, name)
    assert recipe.output == output
    assert recipe is not DEFAULT


def test_an_unknown_model_is_asked_for_markdown():
    assert recipe_for("idefics3", "some/other") is recipe_for("new_type", "x") is DEFAULT
