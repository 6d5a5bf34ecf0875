"""A whole stack reads hostile and broken files, with the checks of bench/bad_files.py, which reads many more."""

from pathlib import Path

import pytest

from bench.bad_files import Case, bad_stack, leftovers, listening, run

BAD = Path(__file__).parents[1] / "data" / "bad"
ANSWERS = {  # {expected answer: names of files}
    "success": "external_stream.pdf js_openaction.pdf jpeg_named.png odd_multiframe.tif",
    "unsupported_format": "html.pdf svg_xxe.svg zip_named.pdf",
    "corrupt_file": "kids_loop.pdf page_tree_bomb.pdf truncated_50.jpg",
    "too_large": "bomb_image_flate2.pdf",
    "empty_document": "zero_pages.pdf",
    "password_required": "enc_aes256_user.pdf",
}


@pytest.mark.thorough
def test_each_file_has_its_answer_under_any_name_and_no_side_effect() -> None:
    cases = [Case(BAD / name, frozenset([word])) for word, names in ANSWERS.items() for name in names.split()]
    with bad_stack(children=1, page_seconds=60) as stack, listening() as connections:
        rows = run(stack, cases, 100)
        assert leftovers(stack, BAD) == []
        assert connections == []
    assert {row.case.file.name: list(row.faults()) for row in rows if list(row.faults())} == {}
