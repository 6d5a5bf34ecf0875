import json

from mistralai.client.models import OCRResponse

from ocrqueue.web.compat import mistral_result
from tests.support.two_pages import RESULT, WITH_BLOCKS


def ocr_response(result, model, with_blocks, with_confidence):
    size = result["source"]["bytes"]
    parts = mistral_result.ocr_response(result["pages"], size, model, with_blocks, with_confidence)
    return json.loads("".join(parts))


def test_mistrals_own_model_reads_the_answer():
    answer = OCRResponse.model_validate(ocr_response(RESULT, "rapidocr", with_blocks=True, with_confidence=True))
    first, second = answer.pages
    assert (first.index, first.markdown, second.index, second.markdown) == (0, RESULT["pages"][0]["markdown"], 1, "")
    assert (first.dimensions.dpi, first.dimensions.width, first.dimensions.height) == (150, 400, 600)
    assert (answer.usage_info.pages_processed, answer.usage_info.doc_size_bytes) == (1, 1234)
    assert [(b.type, b.content, b.top_left_y, b.bottom_right_y) for b in first.blocks] == [
        ("text", "Annual report", 10, 30),
        ("text", "The year was\ngood.", 60, 110),
    ]
    assert first.confidence_scores.minimum_page_confidence_score == 0.9


def test_blocks_and_confidences_are_left_out_unless_asked_for():
    page = ocr_response(RESULT, "rapidocr", with_blocks=False, with_confidence=False)["pages"][0]
    assert "blocks" not in page
    assert "confidence_scores" not in page


def test_blocks_have_their_kinds():
    (page,) = ocr_response({**RESULT, "pages": [WITH_BLOCKS]}, "m", True, False)["pages"]
    assert [(block["type"], block["content"]) for block in page["blocks"]] == [
        ("title", "Annual report"), ("list", "first"), ("list", "second"), ("table", "Sales\n12\n13"), ("footer", "3"),
    ]  # fmt: skip
    assert page["markdown"].startswith("# Annual report\n\n")
