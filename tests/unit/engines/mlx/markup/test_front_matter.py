"""olmOCR: front matter, the JSON of its first version, and pages that lie on their side."""

import json

import pytest

from ocrqueue.engines.mlx.markup import PARSERS
from tests.support.markup import VIEW, parse

FRONT = (
    "---\nprimary_language: en\nis_rotation_valid: {}\nrotation_correction: {}\nis_table: False\nis_diagram: False\n---"
)


@pytest.mark.parametrize(
    "answer",
    [
        json.dumps({"primary_language": "en", "is_rotation_valid": True, "natural_text": "# Hello\nworld"}),
        FRONT.format(True, 0) + "\n# Hello\nworld",
        "```markdown\n" + FRONT.format(True, 0) + "\n# Hello\nworld\n```",
        "---\nprimary_language: en\nis_table: False\n---\n# Hello\nworld",
    ],
)
def test_what_the_model_says_about_the_page_is_not_text(answer):
    page = parse("olmocr", answer)
    assert page.markdown == "# Hello\nworld"
    assert page.plain == "Hello\nworld"


@pytest.mark.parametrize(
    "answer",
    [
        '{"natural_text": null}',
        "---\nprimary_language: null\n---",
        FRONT.format(True, 0),
        "---",
        "---\nis_rotat",
        "[]"[:0],
    ],
)
def test_an_empty_page(answer):
    assert parse("olmocr", answer).plain == ""


@pytest.mark.parametrize(
    ("valid", "correction", "turn"),
    [("False", 90, 270), ("false", 270, 90), ("False", 180, 180), ("True", 90, 0), ("False", 0, 0), ("False", 45, 0)],
)
def test_front_matter_counts_the_rotation_counterclockwise(valid, correction, turn):
    """As `RotationAugmentation` of allenai/olmocr trains it, and `build_page_query` applies it."""
    parsed = PARSERS["olmocr"](FRONT.format(valid, correction) + "\nword", VIEW)
    assert (parsed.page.plain, parsed.turn) == ("word", turn)


@pytest.mark.parametrize(("valid", "correction", "turn"), [(False, 90, 90), (True, 90, 0), (False, None, 0)])
def test_json_counts_the_rotation_clockwise(valid, correction, turn):
    """As the schema of the training data says (`openai_response_format_schema`)."""
    fields = {"is_rotation_valid": valid, "rotation_correction": correction, "natural_text": "word"}
    parsed = PARSERS["olmocr"](json.dumps(fields), VIEW)
    assert (parsed.page.plain, parsed.turn) == ("word", turn)


@pytest.mark.parametrize("kind", [kind for kind in PARSERS if kind != "olmocr"])
def test_other_families_ask_for_no_turn(kind):
    assert PARSERS[kind](FRONT.format(False, 90) + "\nword", VIEW).turn == 0


def test_a_cut_page_keeps_its_text_and_its_turn():
    parsed = PARSERS["olmocr"](
        '{"is_rotation_valid": false, "rotation_correction": 90, "natural_text": "cut \\"he', VIEW
    )
    assert (parsed.page.plain, parsed.turn) == ('cut "he', 90)


@pytest.mark.parametrize(
    "answer",
    ["---\nA page that begins with a rule\n---\nmore", '{"a": "program"}', "{ not JSON }", "---\nsubject: x\n---\ny"],
)
def test_other_answers_are_text(answer):
    assert parse("olmocr", answer).plain == answer


def test_the_description_of_a_figure_is_text():
    page = parse(
        "olmocr", FRONT.format(True, 0) + "\nA ![A bar chart of sales](page_10_20_300_400.png) b ![](page_1_2_3_4.png)"
    )
    assert page.markdown == page.plain == "A A bar chart of sales b"
