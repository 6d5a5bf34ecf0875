"""The recipes for known vision-language models, and how one is chosen."""

import re

from ocrqueue.engines.mlx.recipes import prompts
from ocrqueue.engines.mlx.recipes.recipe import TOKENIZER, TOKENIZER_CONFIG, NgramBlock, Recipe

_ONE_SIZE = 4_000_000  # pixels; enough for the models whose processor scales every page to one size
_A4_AT_200_DPI = 4_000_000  # pixels
_NO_IMAGE_SETTINGS = (TOKENIZER, TOKENIZER_CONFIG)  # the processor in mlx-vlm knows the image size by itself
_APACHE, _MIT = "Apache 2.0.", "MIT."
_DEEPSEEK = Recipe(
    "<|grounding|>Convert the document to markdown.",
    "grounded",
    max_pixels=_ONE_SIZE,
    buckets=False,
    template=False,
    files=_NO_IMAGE_SETTINGS,
    ngram=NgramBlock(20, 50, ("<td>", "</td>")),
    licence=_MIT,
)
_NEMOTRON = Recipe(
    prompts.NEMOTRON,
    "nemotron",
    max_pixels=_ONE_SIZE,
    buckets=False,
    template=False,
    files=_NO_IMAGE_SETTINGS,
    max_tokens=9000,
    top_k=1,
    repetition_penalty=1.1,
    licence="NVIDIA Open Model License.",
)
_OLMOCR = Recipe(
    prompts.OLMOCR,
    "olmocr",
    text_first=True,
    longest=1288,
    buckets=False,
    max_tokens=8000,
    temperatures=(0.1, 0.1, 0.2, 0.3, 0.5, 0.8, 0.9, 1.0),
    licence=_APACHE,
)
_NANONETS = Recipe(
    prompts.NANONETS,
    "markdown",
    text_first=False,
    max_pixels=2_000_000,
    max_tokens=15_000,
    batch=4,
    licence="That of Qwen2.5-VL-3B for the model with 3 B parameters: no commercial use.",
)
_DOCLING = Recipe(
    "Convert this page to docling.",
    "doctags",
    dpi=144,
    max_pixels=_ONE_SIZE,
    buckets=False,
    stops=("</doctag>",),
    licence=_APACHE,
)
_QWEN = Recipe(prompts.PAGE_TO_MARKDOWN, "markdown", batch=4)
_OTHER = Recipe(prompts.PAGE_TO_MARKDOWN, "markdown")
DEFAULT = _OTHER

# (model types, a pattern of the model's name or "", recipe); the first entry that matches is used.
RECIPES: tuple[tuple[str, str, Recipe], ...] = (
    (
        "glm_ocr",
        "",
        Recipe(
            "Text Recognition:",
            "markdown",
            dpi=200,
            max_pixels=_A4_AT_200_DPI,
            top_k=1,
            repetition_penalty=1.1,
            licence=_MIT,
        ),
    ),
    ("paddleocr_vl", "", Recipe("OCR:", "text", max_pixels=1_003_520, licence=_APACHE)),
    ("deepseekocr deepseekocr_2", "", _DEEPSEEK),
    (
        "unlimited_ocr",
        "",
        Recipe(
            "document parsing.",
            "grounded",
            dpi=300,
            max_pixels=9_000_000,
            buckets=False,
            template=False,
            files=_NO_IMAGE_SETTINGS,
            max_tokens=32_768,
            ngram=NgramBlock(35, 128),
            licence=_MIT,
            experimental="it is reported to loop on nearly empty pages and on Japanese",
        ),
    ),
    ("nemotron_parse", r"v1[._]1\b", Recipe(prompts.NEMOTRON_1_1, "nemotron")),
    ("nemotron_parse", "", _NEMOTRON),
    (
        "dots_ocr",
        "",
        Recipe(
            prompts.DOTS,
            "dots",
            dpi=200,
            max_pixels=_A4_AT_200_DPI,
            max_tokens=16_384,
            temperatures=(0.0, 0.1, 0.8),
            licence=_MIT,
        ),
    ),
    (
        "got",
        "",
        Recipe(
            "OCR: ",
            "text",
            max_pixels=_ONE_SIZE,
            buckets=False,
            template=False,
            files=("qwen.tiktoken", TOKENIZER_CONFIG),
            max_tokens=4096,
            stops=("<|im_end|>",),
            ngram=NgramBlock(20),
            runs_code=True,
            licence=_APACHE,
        ),
    ),
    (
        "falcon_ocr",
        "",
        Recipe("plain", "text", longest=1024, buckets=False, template=False, files=_NO_IMAGE_SETTINGS, max_tokens=4096),
    ),
    (
        "hunyuan_vl",
        "",
        Recipe(
            prompts.HUNYUAN,
            "markdown",
            system="",
            dpi=200,
            max_pixels=2048 * 2048,
            max_tokens=16_384,
            top_k=1,
            licence="Tencent Hunyuan Community License: no use in the European Union, the United Kingdom, South Korea.",
        ),
    ),
    ("idefics3 smolvlm", "docling", _DOCLING),
    (
        "florence2",
        "",
        Recipe(
            "<OCR_WITH_REGION>",
            "florence",
            max_pixels=_ONE_SIZE,
            buckets=False,
            template=False,
            max_tokens=1024,
            licence=_MIT,
        ),
    ),
    ("qwen2_vl qwen2_5_vl", r"olmocr.*(0725|0825)", _OLMOCR),
    ("qwen2_vl qwen2_5_vl", "olmocr", _OLMOCR),
    ("qwen2_vl qwen2_5_vl qwen3_vl", "nanonets", _NANONETS),
    ("qwen2_vl qwen2_5_vl", "", _QWEN),
    (
        "granite_vision granite4_vision",
        "",
        Recipe(prompts.PAGE_TO_MARKDOWN, "markdown", max_pixels=_ONE_SIZE, buckets=False),
    ),
    (
        "mistral3",
        "lightonocr",
        Recipe(
            "",
            "markdown",
            dpi=200,
            longest=1540,
            buckets=False,
            max_tokens=4096,
            temperatures=(0.2, 0.4, 0.8),
            top_p=0.9,
            licence=_APACHE,
        ),
    ),
)


def recipe_for(model_type: str, name: str) -> Recipe:
    """The recipe for a model with this type (`model_type` in its config.json) and name; DEFAULT if none matches.

    Types are compared as mlx-vlm does: in lower case, with `_` for `-`.
    """
    wanted = model_type.lower().replace("-", "_")
    for types, part, recipe in RECIPES:
        if wanted in types.split() and re.search(part, name, re.IGNORECASE):
            return recipe
    return DEFAULT
