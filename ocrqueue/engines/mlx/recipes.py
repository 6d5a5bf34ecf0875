"""Recipes for known vision-language models: prompt, size of the page image, and parser of the answer.

The prompts are those of the models' authors, because a model answers best to the words it was trained with.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a type of model is used."""

    prompt: str  # without the chat template
    output: str = "text"  # a name in `ocrqueue.engines.mlx.markup.PARSERS`
    max_pixels: int = 1_600_000  # of the image that the model sees; larger pages are scaled down
    buckets: bool = True  # pad pages to a few sizes; False: the model's processor itself scales every page to one size
    template: bool = True  # the folder must have a chat template; False: the prompt is used without one
    batch: int = 1  # pages at once; more than 1 only where answers were checked to be equal to those of single pages
    dpi: int = 150  # resolution at which a PDF page is rendered


_TO_MARKDOWN = "Convert the document to markdown."
_DOTS = """Please output the layout information from the PDF image, including each layout element's bbox, its \
category, and the corresponding text content within the bbox.

1. Bbox format: [x1, y1, x2, y2]

2. Layout Categories: The possible categories are ['Caption', 'Footnote', 'Formula', 'List-item', 'Page-footer', \
'Page-header', 'Picture', 'Section-header', 'Table', 'Text', 'Title'].

3. Text Extraction & Formatting Rules:
    - Picture: For the 'Picture' category, the text field should be omitted.
    - Formula: Format its text as LaTeX.
    - Table: Format its text as HTML.
    - All Others (Text, Title, etc.): Format their text as Markdown.

4. Constraints:
    - The output text must be the original text from the image, with no translation.
    - All layout elements must be sorted according to human reading order.

5. Final Output: The entire output must be a single JSON object.
"""
_OLMOCR = """Attached is one page of a document that you must process. Just return the plain text representation of \
this document as if you were reading it naturally. Convert equations to LateX and tables to HTML.
Return your output as markdown, with a front matter section on top specifying values for the primary_language, \
is_rotation_valid, rotation_correction, is_table, and is_diagram parameters."""
_NANONETS = """Extract the text from the above document as if you were reading it naturally. Return the tables in html \
format. Return the equations in LaTeX representation."""
_HUNYUAN = (
    "提取文档图片中正文的所有信息用markdown格式表示，其中页眉、页脚部分忽略，表格用html格式表达，"
    "文档中公式用latex格式表示，按照阅读顺序组织进行解析。"
)
_NEMOTRON = "</s><s><predict_bbox><predict_classes><output_markdown><predict_no_text_in_pic>"

DEFAULT = Recipe(_TO_MARKDOWN, "markdown")
# (model types, a part of the model's name in lower case or "", recipe); the first entry that matches is used.
_TABLE: tuple[tuple[str, str, Recipe], ...] = (
    ("glm_ocr", "", Recipe("Text Recognition:", "markdown", 2_000_000)),
    ("paddleocr_vl", "", Recipe("OCR:", "text", 1_600_000)),
    (
        "deepseekocr deepseekocr_2",
        "",
        Recipe("<|grounding|>Convert the document to markdown.", "grounded", 4_000_000, buckets=False, template=False),
    ),
    ("unlimited_ocr", "", Recipe("document parsing.", "grounded", 4_000_000, buckets=False, template=False)),
    ("nemotron_parse", "", Recipe(_NEMOTRON, "nemotron", 4_000_000, buckets=False, template=False)),
    ("dots_ocr", "", Recipe(_DOTS, "dots", 2_500_000)),
    ("got", "", Recipe("OCR:", "text", 4_000_000, buckets=False, template=False)),
    ("falcon_ocr", "", Recipe("plain", "text", 1_600_000, buckets=False, template=False)),
    ("hunyuan_vl", "", Recipe(_HUNYUAN, "markdown", 2_500_000)),
    (
        "idefics3 smolvlm",
        "docling",
        Recipe("Convert this page to docling.", "doctags", 4_000_000, buckets=False),
    ),
    ("florence2", "", Recipe("<OCR_WITH_REGION>", "florence", 4_000_000, buckets=False, template=False)),
    ("qwen2_vl qwen2_5_vl", "olmocr", Recipe(_OLMOCR, "olmocr", 1_300_000, batch=4, dpi=120)),
    ("qwen2_5_vl qwen3_vl", "nanonets", Recipe(_NANONETS, "markdown", 2_000_000, batch=4)),
    ("qwen2_vl qwen2_5_vl", "", Recipe(_TO_MARKDOWN, "markdown", batch=4)),
    ("granite_vision granite4_vision", "", Recipe(_TO_MARKDOWN, "markdown", 4_000_000, buckets=False)),
    ("mistral3", "lightonocr", Recipe("", "markdown", 2_000_000)),
)


def recipe_for(model_type: str, name: str) -> Recipe:
    """The recipe for a model with this type (`model_type` in its config.json) and name; DEFAULT if none matches."""
    for types, part, recipe in _TABLE:
        if model_type in types.split() and part in name.lower():
            return recipe
    return DEFAULT
