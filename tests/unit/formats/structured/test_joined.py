"""The pages of a result with their final blocks."""

from ocrqueue.blocks import Block, BlockKind
from ocrqueue.errors import PageError
from ocrqueue.formats.structured.joined import joined
from ocrqueue.pages import Line, PageText
from ocrqueue.storage.results import PageFacts, failed_page, page_result

FACTS = PageFacts(width=900, height=1000, dpi=100)


def box(top):
    return (100.0, top), (800.0, top), (800.0, top + 12), (100.0, top + 12)


def page(number):
    blocks = (
        Block(BlockKind.PARAGRAPH, box(30.0), text="The <Annals>", size=8),
        Block(BlockKind.HEADING, box(100.0), text=f"{number} Part", size=14),
        Block(BlockKind.PARAGRAPH, box(400.0), text="The text of the page", size=10),
    )
    return page_result(number, PageText(text=f"text {number}", markdown="as read", blocks=blocks), FACTS)


def test_blocks_are_final_and_markdown_is_made_of_them() -> None:
    pages = [page(1), failed_page(2, PageError("timeout", "")), page(3)]
    first, failed, last = joined(lambda: pages, keep_running_heads=False)
    assert [block["kind"] for block in first["blocks"]] == ["page_header", "heading", "paragraph"]
    assert first["markdown"] == "# 1 Part\n\nThe text of the page"
    assert {**last, "blocks": None, "markdown": None} == {**pages[2], "blocks": None, "markdown": None}
    assert failed == pages[1]
    kept = next(iter(joined(lambda: pages, keep_running_heads=True)))
    assert kept["markdown"].startswith("The \\<Annals>\n\n# 1 Part")


def test_pages_without_blocks_stay_as_they_are() -> None:
    pages = [page_result(number, PageText(text="x"), FACTS) for number in (1, 2)]
    assert list(joined(lambda: pages, keep_running_heads=False)) == pages


def test_headings_that_were_read_have_the_size_of_their_type_by_their_width() -> None:
    """The box of "acne moose" is lower than that of "Egg yolks"; the type is the same."""

    def heading(index: int, text: str, left: float, right: float, top: float, bottom: float) -> tuple[Line, Block]:
        place = (left, top), (right, top), (right, bottom), (left, bottom)
        return Line(text, place), Block(BlockKind.HEADING, place, (index,), text, size=0.4 * (bottom - top))

    found = [
        heading(0, "The annals of the egg", 100, 800, 100, 140),
        heading(1, "acne moose", 100, 300, 200, 220),
        heading(2, "Egg yolks", 100, 280, 300, 330),
    ]
    lines, blocks = [line for line, _ in found], tuple(block for _, block in found)
    (page,) = joined(lambda: [page_result(1, PageText(lines, blocks=blocks), FACTS)], keep_running_heads=False)
    assert [(block["kind"], block.get("level")) for block in page["blocks"]] == [
        ("title", None), ("heading", 1), ("heading", 1)
    ]  # fmt: skip
    assert [block["size"] for block in page["blocks"]] == [16, 8, 12]
