"""Long prompts, in the words of the models' authors: a model answers best to the words it was trained with."""

PAGE_TO_MARKDOWN = "Convert this page to markdown. Do not miss any text and only output the bare markdown!"
DOTS = """Please output the layout information from the PDF image, including each layout element's bbox, its \
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
this document as if you were reading it naturally. Convert equations to LateX and tables to {tables}.
{figures}Return your output as markdown, with a front matter section on top specifying values for the \
primary_language, is_rotation_valid, rotation_correction, is_table, and is_diagram parameters."""
_FIGURES = """If there are any figures or charts, label them with the following markdown syntax ![Alt text describing \
the contents of the figure](page_startx_starty_width_height.png)
"""
OLMOCR = _OLMOCR.format(tables="HTML", figures=_FIGURES)  # since 19 August 2025: olmOCR-2
OLMOCR_2025_07 = _OLMOCR.format(tables="markdown", figures="")  # 0725 and 0825
OLMOCR_2025_02 = """Below is the image of one page of a document, as well as some raw textual content that was \
previously extracted for it. Just return the plain text representation of this document as if you were reading it \
naturally.
Do not hallucinate.
RAW_TEXT_START

RAW_TEXT_END"""  # 0225; without the text of the PDF, as in its authors' last tries
NANONETS = """Extract the text from the above document as if you were reading it naturally. Return the tables in html \
format. Return the equations in LaTeX representation. If there is an image in the document and image caption is not \
present, add a small description of the image inside the <img></img> tag; otherwise, add the image caption inside \
<img></img>. Watermarks should be wrapped in brackets. Ex: <watermark>OFFICIAL COPY</watermark>. Page numbers should \
be wrapped in brackets. Ex: <page_number>14</page_number> or <page_number>9/22</page_number>. Prefer using ☐ and ☑ \
for check boxes."""
HUNYUAN = (
    "提取文档图片中正文的所有信息用markdown格式表示，其中页眉、页脚部分忽略，表格用html格式表达，"
    "文档中公式用latex格式表示，按照阅读顺序组织进行解析。"
)
HUNYUAN_SPOTTING = "检测并识别图片中的文字，将文本坐标格式化输出。"
NEMOTRON = "</s><s><predict_bbox><predict_classes><output_markdown><predict_no_text_in_pic>"
NEMOTRON_1_1 = "</s><s><predict_bbox><predict_classes><output_markdown>"
