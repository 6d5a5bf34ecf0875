"""The finished prompt of each recipe, built by mlx-vlm with a chat template that shows what it is given.

The expected prompts are those of the models' authors; the template stands for the real one, whose text is the folder's.
"""

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ocrqueue.engines.mlx.prompt import finished_prompt, prepare_tokenizer
from ocrqueue.engines.mlx.recipes import Recipe, prompts, recipe_for
from tests.support import tiny

pytestmark = pytest.mark.needs("mlx")

_SHOWING = """{% for m in messages %}({{ m.role }}){% if m.content is string %}{{ m.content }}{% else %}\
{% for c in m.content %}{{ '[image]' if c.type == 'image' else c.text }}{% endfor %}{% endif %}{% endfor %}\
{{ '/nothink' if enable_thinking is defined and not enable_thinking }}"""


@pytest.fixture(scope="module")
def finish() -> Callable[[str, Recipe], str]:
    """Returns the finished prompt for a model type and recipe."""
    from mlx_vlm.utils import get_model_and_args, load_config, load_processor

    get_model_and_args(load_config(tiny.FOLDER))
    processor: Any = load_processor(tiny.FOLDER, False, trust_remote_code=False)
    processor.chat_template = processor.tokenizer.chat_template = _SHOWING
    return lambda model_type, recipe: finished_prompt(processor, model_type, recipe)


@pytest.mark.parametrize(
    ("model_type", "name", "wanted"),
    [
        ("glm_ocr", "GLM-OCR", "(user)[image]Text Recognition:"),
        ("paddleocr_vl", "PaddleOCR-VL", "(user)[image]OCR:/nothink"),
        (
            "deepseekocr",
            "x",
            "<image>\n<|grounding|>Convert the document to markdown. ",
        ),  # mlx-vlm drops the last character
        ("unlimited-ocr", "x", "<image>document parsing."),
        (
            "nemotron_parse",
            "NVIDIA-Nemotron-Parse-v1.2",
            "</s><s><predict_bbox><predict_classes><output_markdown><predict_no_text_in_pic>",
        ),
        (
            "nemotron_parse",
            "NVIDIA-Nemotron-Parse-v1.1",
            "</s><s><predict_bbox><predict_classes><output_markdown>",
        ),
        ("GOT", "x", "OCR: "),
        ("falcon_ocr", "x", "plain"),
        ("florence2", "x", "<OCR_WITH_REGION>"),
        ("dots_ocr", "x", f"(user)[image]{prompts.DOTS}/nothink"),
        ("hunyuan_vl", "x", f"(system)(user)[image]{prompts.HUNYUAN}"),
        ("idefics3", "granite-docling-258M", "(user)[image]Convert this page to docling./nothink"),
        ("qwen2_5_vl", "allenai/olmOCR-2-7B-1025", f"(user){prompts.OLMOCR}[image]/nothink"),
        ("qwen2_5_vl", "olmOCR-7B-0825", f"(user){prompts.OLMOCR_2025_07}[image]/nothink"),
        ("qwen2_5_vl", "olmOCR-7B-0725", f"(user)[image]{prompts.OLMOCR_2025_07}/nothink"),
        ("qwen2_vl", "olmOCR-7B-0225-preview", f"(user){prompts.OLMOCR_2025_02}[image]/nothink"),
        ("qwen2_5_vl", "Nanonets-OCR2-3B", f"(user)[image]{prompts.NANONETS}/nothink"),
        ("qwen2_vl", "Nanonets-OCR2-1.5B-exp", f"(user)[image]{prompts.NANONETS}/nothink"),
        ("mistral3", "LightOnOCR-2-1B", "(user)[image]/nothink"),
        ("qwen2_5_vl", "Qwen2.5-VL-3B", f"(user)[image]{prompts.PAGE_TO_MARKDOWN}/nothink"),
        ("qwen2_vl", "Qwen2-VL-2B", f"(user){prompts.PAGE_TO_MARKDOWN}[image]/nothink"),
    ],
)
def test_the_finished_prompt_is_that_of_the_authors(
    finish: Callable[[str, Recipe], str], model_type: str, name: str, wanted: str
) -> None:
    assert finish(model_type.lower(), recipe_for(model_type, name)) == wanted


@pytest.mark.parametrize(
    ("model_type", "ids"),
    [("nemotron_parse", [1, 0, 2]), ("glm_ocr", [1, 0, 2]), ("florence2", [0, 1, 0, 2, 1])],
)
def test_special_tokens_are_not_added_to_a_prompt_that_has_them(model_type: str, ids: list[int]) -> None:
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    backend = Tokenizer(models.WordLevel({"<s>": 0, "</s>": 1, "OCR": 2, "?": 3}, unk_token="?"))
    backend.pre_tokenizer = pre_tokenizers.Whitespace()
    backend.add_special_tokens(["<s>", "</s>"])
    special = [("<s>", 0), ("</s>", 1)]
    backend.post_processor = processors.TemplateProcessing(single="<s> $A </s>", special_tokens=special)
    processor = SimpleNamespace(tokenizer=PreTrainedTokenizerFast(tokenizer_object=backend))
    prepare_tokenizer(processor, recipe_for(model_type, ""))
    assert processor.tokenizer("</s><s>OCR", add_special_tokens=True)["input_ids"] == ids


def test_the_folder_has_the_template_that_is_used(tmp_path: Path) -> None:
    from mlx_vlm.utils import load_processor

    folder = tiny.copy_to(tmp_path)
    (folder / "chat_template.jinja").write_text(_SHOWING)
    assert json.loads((folder / "config.json").read_text())["model_type"] == "qwen2_vl"
    processor: Any = load_processor(folder, False, trust_remote_code=False)
    recipe = recipe_for("qwen2_vl", "olmOCR-2")
    assert finished_prompt(processor, "qwen2_vl", recipe) == f"(user){prompts.OLMOCR}[image]/nothink"
