"""The recipes for known vision-language models, and how one is chosen. The first entry that matches is used."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from ocrqueue.engines.mlx.recipes import prompts
from ocrqueue.engines.mlx.recipes.recipe import TOKENIZER, TOKENIZER_CONFIG, NgramBlock, Recipe, Task

_A4_AT_200_DPI = 4_000_000  # pixels
_ONE_SIZE = 4_000_000  # pixels; enough for a model whose processor scales every page to one size
_NO_IMAGE_SETTINGS = (TOKENIZER, TOKENIZER_CONFIG)  # mlx-vlm's processor reads no image settings from the folder
_APACHE, _MIT = "Apache 2.0", "MIT"
_ALIASES = {"inkling_mm_model": "inkling", "moondream1": "moondream2"}  # as in mlx-vlm's MODEL_REMAPPING


@dataclass(frozen=True, slots=True)
class Known:
    """Models that are used by one recipe. Types are as `normal_type` writes them."""

    types: tuple[str, ...]  # `model_type` in config.json
    recipe: Recipe
    name: str = ""  # regular expression that the model's name contains, in any case; "": any name
    architecture: str = ""  # regular expression that one of `architectures` in config.json contains; "": any

    @property
    def label(self) -> str:
        """The types, and the regular expression for the name, that lead to this recipe."""
        return ", ".join(self.types) + (f", named like {self.name}" if self.name else "")


DEFAULT = Recipe(prompts.PAGE_TO_MARKDOWN, "markdown")
_GLM = Recipe(
    "Text Recognition:",
    "markdown",
    no_thinking=False,
    adds_tokens=False,
    dpi=200,
    max_pixels=_A4_AT_200_DPI,
    top_k=1,
    repetition_penalty=1.1,
    stops=("<|user|>", "<|endoftext|>"),
    licence=_MIT,
    experimental="mlx-vlm's issue 1021 reports loops on long prose; the published score belongs to layout and model",
)
_PADDLE = Recipe(
    "OCR:",
    "text",
    adds_tokens=False,
    max_pixels=1280 * 28 * 28,
    tasks=(Task("spotting", "Spotting:", 2048 * 28 * 28, doubled_below=1500),),
    licence=_APACHE,
)
_DEEPSEEK = Recipe(
    "<|grounding|>Convert the document to markdown.",
    "grounded",
    template=False,
    mark="<image>\n",
    tail=" ",
    max_pixels=_ONE_SIZE,
    buckets=False,
    ngram=NgramBlock(20, 50, ("<td>", "</td>")),
    files=(TOKENIZER, TOKENIZER_CONFIG, "processor_config.json"),
    tasks=(Task("text", "Free OCR."),),
    licence=_MIT,
)
_UNLIMITED = Recipe(
    "document parsing.",
    "grounded",
    template=False,
    mark="<image>",
    dpi=300,
    max_pixels=9_000_000,
    buckets=False,
    max_tokens=32_768,
    ngram=NgramBlock(35, 128),
    files=_NO_IMAGE_SETTINGS,
    licence=_MIT,
    experimental="loops are reported on nearly empty pages and on Japanese; 4-bit weights read worse",
)
_NEMOTRON = Recipe(
    prompts.NEMOTRON,
    "nemotron",
    adds_tokens=False,
    template=False,
    max_pixels=_ONE_SIZE,
    buckets=False,
    max_tokens=9000,
    top_k=1,
    repetition_penalty=1.1,
    files=_NO_IMAGE_SETTINGS,
    licence="NVIDIA Open Model License",
    experimental="4-bit weights of version 2.0 are reported to repeat themselves",
)
_DOTS = Recipe(
    prompts.DOTS,
    "dots",
    adds_tokens=False,
    dpi=200,
    max_pixels=_A4_AT_200_DPI,
    max_tokens=16_384,
    temperatures=(0.0, 0.1, 0.8),
    tasks=(Task("text", "Extract the text content from this image."),),
    licence="its authors' own: the dots.ocr license agreement",
)
_GOT = Recipe(
    "OCR: ",
    "text",
    template=False,
    max_pixels=_ONE_SIZE,
    buckets=False,
    max_tokens=4096,
    stops=("<|im_end|>",),
    ngram=NgramBlock(20),
    files=("qwen.tiktoken", TOKENIZER_CONFIG),
    runs_code=True,
    licence=_APACHE,
    experimental="weak on whole pages: it sees every page as 1024 x 1024 pixels",
)
_FALCON = Recipe(
    "plain",
    "text",
    template=False,
    longest=1024,
    buckets=False,
    max_tokens=4096,
    files=_NO_IMAGE_SETTINGS,
    licence=_APACHE,
    experimental="small print is lost: it sees 1024 pixels on the longer side; its authors cut dense pages first",
)
_HUNYUAN = Recipe(
    prompts.HUNYUAN,
    "markdown",
    system="",
    no_thinking=False,
    adds_tokens=False,
    dpi=200,
    max_pixels=2048 * 2048,
    max_tokens=16_384,
    top_k=1,
    files=_NO_IMAGE_SETTINGS,
    tasks=(Task("spotting", prompts.HUNYUAN_SPOTTING),),
    licence="Tencent Hunyuan Community License: no use in the European Union, the United Kingdom and South Korea",
)
_DOCLING = Recipe(
    "Convert this page to docling.",
    "doctags",
    dpi=144,
    max_pixels=_ONE_SIZE,
    buckets=False,
    stops=("</doctag>", "<|end_of_text|>", "<end_of_utterance>"),
    licence=_APACHE,
    experimental="its authors call languages other than English experimental",
)
_FLORENCE = Recipe(
    "<OCR_WITH_REGION>",
    "florence",
    template=False,
    max_pixels=_ONE_SIZE,
    buckets=False,
    max_tokens=1024,
    licence=_MIT,
    experimental="for signs and labels, not for pages: it sees every image as one square of 768 pixels",
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
_OLMOCR_2025_02 = replace(
    _OLMOCR,
    prompt=prompts.OLMOCR_2025_02,
    longest=1024,
    experimental="its authors give it the text of the PDF, too, which is not done here: prefer olmOCR-2",
)
_NANONETS = Recipe(
    prompts.NANONETS,
    "markdown",
    text_first=False,
    max_pixels=2_000_000,
    max_tokens=15_000,
    batch=4,
    licence="that of the Qwen model it was made from; Qwen2.5-VL-3B allows no commercial use",
)
_LIGHTON = Recipe(
    "",
    "markdown",
    dpi=200,
    longest=1540,
    buckets=False,
    max_tokens=4096,
    temperatures=(0.2, 0.4, 0.8),
    top_p=0.9,
    licence=_APACHE,
)
_QWEN = replace(DEFAULT, batch=4)
_GRANITE = replace(DEFAULT, text_first=False, max_pixels=_ONE_SIZE, buckets=False, licence=_APACHE)
_DEEPSEEK_AS_PUBLISHED = replace(
    _DEEPSEEK,
    refused="mlx-vlm loads this folder as DeepSeek-VL2, another model: use a conversion, such as "
    "mlx-community/DeepSeek-OCR-8bit",
)

RECIPES: tuple[Known, ...] = (
    Known(("glm_ocr",), _GLM),
    Known(("paddleocr_vl",), _PADDLE),
    Known(("deepseekocr", "deepseekocr_2"), _DEEPSEEK),
    Known(("deepseek_vl_v2",), _DEEPSEEK_AS_PUBLISHED, architecture="DeepseekOCR"),
    Known(("unlimited_ocr",), _UNLIMITED),
    Known(("nemotron_parse",), replace(_NEMOTRON, prompt=prompts.NEMOTRON_1_1), name=r"v1[._]1(?!\d)"),
    Known(("nemotron_parse",), _NEMOTRON),
    Known(("dots_ocr",), _DOTS),
    Known(("got",), _GOT),
    Known(("falcon_ocr",), _FALCON),
    Known(("hunyuan_vl",), _HUNYUAN),
    Known(("idefics3", "smolvlm"), _DOCLING, name="docling"),
    Known(("florence2",), _FLORENCE),
    Known(("qwen2_vl", "qwen2_5_vl"), _OLMOCR_2025_02, name="olmocr.*0225"),
    Known(
        ("qwen2_vl", "qwen2_5_vl"),
        replace(_OLMOCR, prompt=prompts.OLMOCR_2025_07, text_first=False),
        name="olmocr.*0725",
    ),
    Known(("qwen2_vl", "qwen2_5_vl"), replace(_OLMOCR, prompt=prompts.OLMOCR_2025_07), name="olmocr.*0825"),
    Known(("qwen2_vl", "qwen2_5_vl"), _OLMOCR, name="olmocr"),
    Known(("qwen2_vl", "qwen2_5_vl"), _NANONETS, name="nanonets"),
    Known(("qwen3_vl",), replace(_NANONETS, batch=1), name="nanonets"),
    Known(("qwen2_vl", "qwen2_5_vl"), _QWEN),
    Known(
        ("granite_vision",),
        replace(
            _GRANITE, experimental="mlx-vlm gives it the tiles of a page in another order than it was trained with"
        ),
    ),
    Known(("granite4_vision",), _GRANITE),
    Known(("mistral3",), _LIGHTON, name="lightonocr"),
    Known(
        ("inkling", "internvl_chat", "moondream2"),
        replace(DEFAULT, runs_code=True),
    ),
)


def normal_type(model_type: str) -> str:
    """A `model_type` as mlx-vlm loads it: in lower case, with `_` for `-`, and without aliases."""
    name = model_type.lower().replace("-", "_")
    return _ALIASES.get(name, name)


def recipe_for(model_type: str, name: str, architectures: Sequence[str] = ()) -> Recipe:
    """The recipe for a model with this name, and `model_type` and `architectures` in its config.json, else DEFAULT."""
    known = find_known(model_type, name, architectures)
    return known.recipe if known else DEFAULT


def find_known(model_type: str, name: str, architectures: Sequence[str] = ()) -> Known | None:
    """The entry of `RECIPES` for such a model; None if there is none."""
    wanted = normal_type(model_type)
    for known in RECIPES:
        if wanted not in known.types or not re.search(known.name, name, re.IGNORECASE):
            continue
        if not known.architecture or any(re.search(known.architecture, text) for text in architectures):
            return known
    return None
