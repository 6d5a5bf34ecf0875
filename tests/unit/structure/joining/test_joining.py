"""What is decided about blocks over the whole document: by small documents whose pages are 1000 pixels high."""

import pytest

from ocrqueue.blocks import Block, BlockKind, Cell
from ocrqueue.structure.joining import Joiner, Survey

TITLE, HEADING, PARAGRAPH, ITEM = BlockKind.TITLE, BlockKind.HEADING, BlockKind.PARAGRAPH, BlockKind.LIST_ITEM
TABLE, CAPTION, NOTE, PICTURE = BlockKind.TABLE, BlockKind.CAPTION, BlockKind.FOOTNOTE, BlockKind.PICTURE
HEADER, FOOTER = BlockKind.PAGE_HEADER, BlockKind.PAGE_FOOTER
BEGUN = "A text that does not end on this page and"
LONG = "Some text of a paragraph that makes a body of the page, so that its size of type is known."


def at(top, left=100, right=800, height=12):
    return (left, top), (right, top), (right, top + height), (left, top + height)


def block(kind, text, top, size=10.0, **more):
    return Block(kind, more.pop("box", at(top)), text=text, size=size, **more)


def body(text=LONG, top=500, **more):
    return block(PARAGRAPH, text, top, **more)


def joined(*pages, is_read=False, width=900, height=1000, boxes=()):
    survey = Survey()
    for number, blocks in enumerate(pages, 1):
        survey.add(number, blocks, height, is_read)
    joiner = Joiner(survey)
    return [joiner.page(number, blocks, width, height, boxes) for number, blocks in enumerate(pages, 1)]


def kinds(pages):
    return [[block.kind for block in page] for page in pages]


# -- running heads


def test_what_comes_again_at_the_same_height_is_a_running_head():
    pages = [
        [body("The Annals", 30), body(), body("– 7 –", 960)],
        [body("The Annals", 31), body(), body("– 8 –", 960)],
        [body("The Anna1s", 30), body("Another text of the body.", 80), body(), body("– 9 –", 961)],
    ]
    assert kinds(joined(*pages)) == [
        [HEADER, PARAGRAPH, FOOTER],
        [HEADER, PARAGRAPH, FOOTER],
        [HEADER, PARAGRAPH, PARAGRAPH, FOOTER],
    ]


@pytest.mark.parametrize(
    "heads",
    [
        ["Chapter 3", "Chapter 7"],  # numbers that do not count pages
        ["First words", "Other words"],
        ["Table 1. Sums", "Table 1. Sums"],
    ],
)
def test_a_place_alone_makes_no_running_head(heads):
    assert kinds(joined(*([body(head, 40), body()] for head in heads))) == [[PARAGRAPH, PARAGRAPH]] * 2


def test_larger_type_titles_and_what_is_inside_of_the_page_are_kept():
    pages = [[block(HEADING, "Invoice", 30, size=16), body("Same line", 200), body()] for _ in range(3)]
    assert kinds(joined(*pages)) == [[HEADING, PARAGRAPH, PARAGRAPH]] * 3


def test_what_has_text_beyond_it_is_no_running_head():
    pages = [
        [body(("First of all,", "On the other", "Last words")[n], 20), body("Same words", 60), body()] for n in range(3)
    ]
    assert HEADER not in kinds(joined(*pages))[0]


def test_a_page_number_alone_is_a_foot():
    assert kinds(joined([body(), body("Page 1 of 1", 970)])) == [[PARAGRAPH, FOOTER]]
    assert kinds(joined([body(), body("12 apples", 970)])) == [[PARAGRAPH, PARAGRAPH]]


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("1 The list is renewed at the beginning of each year", NOTE),
        ("2 copies, one for the files", NOTE),
        ("Harbour board, 3 May 2025", FOOTER),
        ("Edith Marlowe, treasurer", PARAGRAPH),
        ("This is a sentence that its page took for a foot.", PARAGRAPH),
    ],
)
def test_a_foot_that_does_not_come_again_may_be_a_note(text, kind):
    (page,) = joined([body(), block(FOOTER, text, 950)])
    assert page[1].kind == kind
    if kind == NOTE:
        assert page[1].marker == text[0]


def test_an_account_at_the_foot_is_kept_with_what_stands_beside_it_once():
    def page():
        return [
            body(),
            block(FOOTER, "Riverside Choir", 950, size=7),
            block(FOOTER, "Account GB00 EXMP 0000 4711", 951, size=7),
            block(FOOTER, "1/2", 970, size=7),
        ]

    assert kinds(joined(page())) == [[PARAGRAPH, PARAGRAPH, PARAGRAPH, FOOTER]]
    assert kinds(joined(page(), page())) == [
        [PARAGRAPH, FOOTER, PARAGRAPH, FOOTER],
        [PARAGRAPH, FOOTER, FOOTER, FOOTER],
    ]


@pytest.mark.parametrize(
    "text",
    [
        "IBAN: DE89 3704 0044 0532 0130 00",
        "Konto 532013000, BLZ 37040044",
        "Tel. 555 0177",
        "office@example.org",
        "VAT no. 4711",
        "Mill Lane 1, SW1A 1AA London",
        "Springfield, IL 62704",
        "12345 Musterstadt",
    ],
)
def test_what_a_reader_may_need_is_no_running_foot(text):
    assert kinds(joined([body(), block(FOOTER, text, 960, size=7)])) == [[PARAGRAPH, PARAGRAPH]]


@pytest.mark.parametrize(
    "text", ["2025 Annual Report", "Journal of Coasts 22 (2025)", "The Allotment Post", "www.example.org"]
)
def test_small_type_at_the_end_of_a_page_alone_is_a_running_foot(text):
    assert kinds(joined([body(), block(FOOTER, text, 960, size=7)])) == [[PARAGRAPH, FOOTER]]


@pytest.mark.parametrize(
    "text", ["Downloaded from example.org on 3 May 2025", "© 2025 Village Press. All rights reserved"]
)
def test_where_a_copy_comes_from_is_a_running_foot_also_where_the_page_says_otherwise(text):
    assert kinds(joined([body(), body(text, 970)])) == [[PARAGRAPH, FOOTER]]


def test_a_document_of_nothing_but_page_numbers_keeps_them():
    pages = [[block(kind, f"– {number} –", 960)] for number, kind in enumerate((FOOTER, PARAGRAPH, FOOTER), 7)]
    assert kinds(joined(*pages)) == [[PARAGRAPH]] * 3
    assert kinds(joined(*pages, [body()])) == [[FOOTER], [FOOTER], [FOOTER], [PARAGRAPH]]


def test_a_page_of_nothing_but_guesses_keeps_what_is_on_no_other_page():
    pages = [[block(HEADER, "The Annals", 30), block(FOOTER, "Thank you all", 960)], [body("The Annals", 30), body()]]
    assert kinds(joined(*pages)) == [[HEADER, PARAGRAPH], [HEADER, PARAGRAPH]]


def test_an_address_and_a_large_heading_are_no_running_heads():
    address = block(HEADER, "Edith Marlowe\n12 Orchard Road\nWeir", 40)
    assert kinds(joined([address, body()])) == [[PARAGRAPH, PARAGRAPH]]
    assert kinds(joined([block(HEADER, "Annual report", 40, size=18), body()])) == [[TITLE, PARAGRAPH]]
    assert kinds(joined([address, body()], [address, body()])) == [[HEADER, PARAGRAPH]] * 2


def test_without_places_a_text_must_come_again_on_three_pages():
    def page(text, number):
        return [Block(PARAGRAPH, text=text), Block(PARAGRAPH, text=LONG[number:]), Block(PARAGRAPH, text=f"{number}")]

    assert kinds(joined(*(page("The Annals", n) for n in (4, 5, 6)))) == [[HEADER, PARAGRAPH, FOOTER]] * 3
    assert kinds(joined(*(page("The Annals", n) for n in (4, 5)))) == [[PARAGRAPH] * 3] * 2


# -- headings


def levels(*headings, is_read=False):
    """Texts with sizes, and whether they are bold; the levels of them, 0 for the title."""
    blocks = [
        block(HEADING, text, 200 + 20 * n, size=size, is_bold=bold) for n, (text, size, bold) in enumerate(headings)
    ]
    (page,) = joined([*blocks, body()], is_read=is_read)
    return [b.level if b.kind == HEADING else 0 for b in page if b.kind in (HEADING, TITLE)]


def test_numbers_go_before_sizes():
    numbered = [("1 One", 14, True), ("1.1 Two", 14, True), ("1.1.1 Three", 14, True), ("2 Four", 12, True)]
    assert levels(("All", 20, True), *numbered) == [0, 1, 2, 3, 1]
    assert levels(("Part", 18, True), *numbered, ("Other", 18, True)) == [1, 2, 3, 4, 2, 1]


def test_headings_without_numbers_are_beside_numbered_ones_of_their_size():
    others = ("Abstract", 14, True), ("1 One", 14, True), ("1.1 Two", 12, True), ("Note", 12, True)
    assert levels(("Title", 20, True), *others) == [
        0, 1, 1, 2, 2
    ]  # fmt: skip


def test_sizes_and_weights_make_levels():
    assert levels(("T", 24, True), ("A", 16, True), ("B", 12, True), ("C", 12, False), ("D", 16.2, True)) == [
        0,
        1,
        2,
        3,
        1,
    ]
    assert levels(("A", 16, True), ("B", 16, True)) == [1, 1]


def test_where_pages_were_read_sizes_may_differ_more():
    sizes = (("T", 24, None), ("A", 16, None), ("B", 17, None), ("C", 12.8, None), ("D", 12, None))
    assert levels(*sizes, is_read=True) == [0, 1, 1, 2, 2]


def test_without_sizes_the_levels_of_the_pages_are_kept():
    first = [
        Block(TITLE, text="T"),
        Block(HEADING, text="A", level=2),
        Block(HEADING, text="B", level=3),
        Block(PARAGRAPH, text="x"),
    ]
    pages = joined(first, [Block(TITLE, text="Later"), Block(HEADING, text="1.1 C", level=4)])
    assert [(b.kind, b.level) for page in pages for b in page if b.kind != PARAGRAPH] == [
        (TITLE, None), (HEADING, 2), (HEADING, 3), (HEADING, 1), (HEADING, 2)
    ]  # fmt: skip


# -- lists, notes, captions


def item(marker, depth, top=500, left=100, **more):
    return Block(ITEM, at(top, left), text=BEGUN, marker=marker, depth=depth, size=10, **more)


def test_a_list_that_goes_on_elsewhere_keeps_its_depths():
    first = [item("1.", 1), item("–", 2, 520, 130)]
    second = [item("–", 1, 40, 130), item("2.", 1, 60), item("–", 2, 80, 130)]
    assert [[b.depth for b in page] for page in joined(first, second)] == [[1, 2], [2, 1, 2]]
    column = [item("1.", 1), item("–", 2, 520, 130), item("–", 1, 40, 500), item("2.", 1, 60, 470)]
    assert [b.depth for b in joined(column)[0]] == [1, 2, 2, 1]
    assert [b.depth for b in joined([item("–", 1), body(), item("–", 1)])[0]] == [1, None, 1]


@pytest.mark.parametrize(
    ("text", "marker"), [("1 Note.", "1"), ("12Note.", "12"), ("* Note.", "*"), ("a) Note.", "a"), ("A note.", None)]
)
def test_the_marker_of_a_note_is_apart_from_its_text(text, marker):
    note = joined([body(), block(NOTE, text, 800)])[0][1]
    assert (note.marker, note.text) == (marker, "Note." if marker else text)


def test_captions_are_beside_their_table_or_picture():
    table = block(TABLE, "", 400, cells=(Cell(0, 0),), box=at(400, height=100))
    text = body("Table 1: Sums of all years", 380)
    assert [b.kind for b in joined([text, table])[0]] == [CAPTION, TABLE]
    caption = block(CAPTION, "A picture", 560)
    picture = block(PICTURE, "", 300, box=at(300, height=250))
    assert [b.kind for b in joined([picture, body(), body(), caption])[0]] == [PICTURE, CAPTION, PARAGRAPH, PARAGRAPH]
    assert [b.kind for b in joined([body("Table 1 shows sums", 380), body()])[0]] == [PARAGRAPH, PARAGRAPH]


# -- what goes on over a page


def table(*rows, top=400, header=True, lefts=(100, 300), **more):
    cells = tuple(
        Cell(r, c, is_header=header and not r, text=text, box=at(top + 20 * r, lefts[c], lefts[c] + 50))
        for r, row in enumerate(rows)
        for c, text in enumerate(row)
    )
    return Block(TABLE, at(top, height=100), cells=cells, **more)


@pytest.mark.parametrize("lefts", [(100, 300), (100, 350)])
def test_a_table_that_goes_on_has_one_header(lefts):
    head = ("Month", "Sum")
    pages = joined(
        [body(), table(head, ("May", "1")), block(FOOTER, "1", 960)],
        [block(HEADER, "Annals", 30, size=8), table(head, ("June", "2"), lefts=lefts)],
    )
    assert [cell.text for cell in pages[1][1].cells] == ["June", "2"]
    assert [cell.row for cell in pages[1][1].cells] == [0, 0]
    assert pages[1][1].continues


def test_a_table_goes_on_over_three_pages_and_without_a_header():
    pages = joined(
        [table(("Month", "Sum"), ("May", "1"))],
        [table(("June", "2"), ("July", "3"), header=False)],
        [table(("August", "4"), ("9", "5"))],  # its page takes the first row for a header
    )
    assert [page[0].continues for page in pages] == [False, True, True]
    assert [cell.is_header for cell in pages[2][0].cells] == [False] * 4


@pytest.mark.parametrize(
    "second",
    [
        [table(("Name", "Age"), ("Ann", "7"))],
        [body("In between."), table(("June", "2"), ("July", "3"), header=False)],
        [table(("June", "2"), header=False, lefts=(100, 400))],
        [table(("June", "2", "x"), header=False, lefts=(100, 300, 500))],
    ],
)
def test_another_table_does_not_go_on(second):
    pages = joined([table(("Month", "Sum"), ("May", "1"))], second)
    assert not any(b.continues for b in pages[1])


def test_a_paragraph_goes_on_over_a_page_and_past_notes_and_tables():
    pages = joined(
        [body(BEGUN), block(NOTE, "1 Note.", 900), block(FOOTER, "1", 960)],
        [block(HEADER, "Annals", 30, size=8), table(("a", "b"), ("1", "2")), body("goes on here."), body("Next.")],
    )
    assert [b.continues for b in pages[1]] == [False, False, True, False]


@pytest.mark.parametrize(
    ("end", "start"),
    [("It ends.", "small"), (BEGUN, "Capital"), (BEGUN, "1 number"), ("A label", "small"), ("Ends.1", "small")],
)
def test_a_paragraph_that_ends_does_not_go_on(end, start):
    pages = joined([body(end)], [body(start)])
    assert not pages[1][0].continues


def test_a_paragraph_goes_on_in_the_next_column_and_after_a_full_line():
    left = body(BEGUN, 500, box=at(200, 100, 400, 700))
    right = body("column one.", 100, box=at(100, 500, 800, 300))
    assert [b.continues for b in joined([left, right])[0]] == [False, True]
    below = body("column one.", 100, box=at(910, 100, 400, 50))
    assert [b.continues for b in joined([left, below])[0]] == [False, False]
    full = body(BEGUN, 500, lines=(0, 1))
    lines = [at(500), at(500, 100, 799)]
    assert joined([full], [body("Haus steht.")], boxes=lines)[1][0].continues


def test_an_item_goes_on_as_an_item():
    pages = joined([item("1.", 1), item("–", 2, 520, 130)], [body("and more", 40), item("2.", 1, 60)])
    assert (pages[1][0].kind, pages[1][0].depth, pages[1][0].continues) == (ITEM, 2, True)
    assert pages[1][1].depth == 1


def test_a_page_that_is_missing_ends_all():
    survey = Survey()
    pages = {1: [body(BEGUN)], 3: [body("goes on.")]}
    for number, blocks in pages.items():
        survey.add(number, blocks, 1000, False)
    joiner = Joiner(survey)
    assert not [
        b for number, blocks in pages.items() for b in joiner.page(number, blocks, 900, 1000, ()) if b.continues
    ]
    assert not joiner.has_title
