"""What settings change of a recipe."""

from dataclasses import replace

from ocrqueue.engines.mlx.recipes import recipe_for
from ocrqueue.engines.mlx.settings import mlx_settings


def test_batches_are_used_only_where_they_do_not_change_the_text() -> None:
    settings = replace(mlx_settings(), batch=8)
    assert settings.adjusted(recipe_for("qwen2_5_vl", "Qwen2.5-VL-3B")).batch == 8
    assert settings.adjusted(recipe_for("glm_ocr", "GLM-OCR")).batch == 1
    assert mlx_settings().adjusted(recipe_for("qwen2_5_vl", "Qwen2.5-VL-3B")).batch == 4
