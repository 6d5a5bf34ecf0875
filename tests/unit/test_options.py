"""Options are checked before anything is sent, and unknown ones refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocrqueue import names
from ocrqueue.errors import InvalidOptions
from ocrqueue.options import Options, missing_pages, parse_ranges, select_pages


def test_given_options_can_be_parsed_again() -> None:
    options = Options(pages="1-3,8-", engine="rapidocr", dpi=300, formats=("text", "json"), notify=("a.b", "queue"))
    assert Options.parse(options.given()) == options
    assert Options().given() == {}


@pytest.mark.parametrize(
    "given",
    [
        {"colour": "red"},
        {"dpi": "300"},
        {"dpi": 5},
        {"dpi": True},
        {"pages": "3-1"},
        {"pages": "0"},
        {"pages": "1,,2"},
        {"pages": 3},
        {"engine": "../../etc"},
        {"engine": 5},
        {"model": "../secret"},
        {"lang": "e n"},
        {"priority": "urgent"},
        {"priority": ["high"]},
        {"formats": None},
        {"formats": ["docx"]},
        {"formats": "text"},
        {"fresh": "yes"},
        {"structure": 1},
        {"keep_running_heads": 1},
        {"notify": ["only one"]},
        {"text_layer": "maybe"},
        ["pages"],
        "pages=1",
    ],
)
def test_wrong_options_are_refused(given: object) -> None:
    with pytest.raises(InvalidOptions) as raised:
        Options.parse(given)
    assert "\n" not in raised.value.message


@pytest.mark.parametrize("name", [*"pages lang engine model dpi text_layer priority fresh".split(), "x" * 9999])
def test_long_values_and_names_are_not_shown_whole(name: str) -> None:
    with pytest.raises(InvalidOptions) as raised:
        Options.parse({name: "é" * 15_000})
    assert len(raised.value.message) < 300
    assert "…" in raised.value.message


def test_formats_that_are_made_from_blocks_ask_for_structure() -> None:
    assert not Options(formats=("text", "json", "hocr", "alto", "pdf")).wants_structure
    assert Options(structure=True).wants_structure
    assert Options(formats=("text", "markdown")).wants_structure


def test_programs_of_version_1_get_records_that_they_can_read() -> None:
    assert Options(formats=("markdown", "pdf"), fresh=True, lang="de").version == names.FIRST_VERSION
    assert Options(structure=True).version == names.VERSION


def test_page_selection() -> None:
    assert parse_ranges("1-3, 8,10-") == [(1, 3), (8, 8), (10, None)]
    assert select_pages("8,1-3,2", 9) == [1, 2, 3, 8]
    assert select_pages("4-", 6) == [4, 5, 6]
    assert select_pages(None, 3) == [1, 2, 3]
    with pytest.raises(InvalidOptions, match="ranges such as"):
        parse_ranges("\N{FULLWIDTH DIGIT ONE}")
    with pytest.raises(InvalidOptions, match=r"the document has 1 page$"):
        select_pages("2", 1)


@given(st.sets(st.integers(1, 60), min_size=1), st.integers(1, 60))
def test_a_selection_is_ascending_and_within_the_document(numbers: set[int], total: int) -> None:
    pages = ",".join(map(str, numbers))
    expected = sorted(n for n in numbers if n <= total)
    if expected:
        assert select_pages(pages, total) == expected
    else:
        with pytest.raises(InvalidOptions):
            select_pages(pages, total)


@pytest.mark.parametrize(
    ("pages", "total", "missing"),
    [
        (None, 1, None),
        ("1", 1, None),
        ("1-", 1, None),
        ("1,99", 1, "99"),
        ("1-3,8,10-", 9, "10-"),
        ("1-3,8,10-", 2, "3,8,10-"),
        ("2-20", 12, "13-20"),
    ],
)
def test_pages_that_a_document_does_not_have_are_named(pages: str | None, total: int, missing: str | None) -> None:
    assert missing_pages(pages, total) == missing
