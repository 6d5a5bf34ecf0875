"""The order in which the lines of a page are read."""

import sys
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from ocrqueue.blocks import Block, BlockKind
from ocrqueue.layout import arrange
from ocrqueue.pages import Line, PageText, PageWarning, Word
from tests.support.pagemaker import PITCH, box, column, leftwards, line, order, shuffled, texts, turned, with_words

LEFT = column("left", 100, 200, 12)
RIGHT = column("right", 540, 215, 12)


def test_columns_are_read_one_after_the_other():
    assert order(LEFT + RIGHT) == texts(LEFT + RIGHT)


def test_four_columns():
    page = [x for n in range(4) for x in column(f"column {n}", 100 + 440 * n, 200 + 4 * n, 10)]
    assert order(page) == texts(page)


def test_columns_on_a_skewed_page():
    assert order(turned(LEFT + RIGHT, 3)) == texts(LEFT + RIGHT)


def test_a_narrow_gutter_under_boxes_that_are_too_long():
    left = [replace(x, box=box(x.box[0][0], x.box[0][1], 507, x.box[2][1])) for x in LEFT]
    right = column("right", 504, 215, 12)
    assert order(left + right) == texts(left + right)


def test_headings_across_both_columns_are_read_at_their_position():
    top = [line("A heading over both of the columns", 300, 100, size=40)]
    between = [line("A second heading over both columns", 300, 600, size=40)]
    below = column("lower left", 100, 700, 8), column("lower right", 540, 700, 8)
    page = [*top, *LEFT, *RIGHT, *between, *below[0], *below[1]]
    assert order(page) == texts(page)


def test_text_of_the_full_width_above_and_below_columns():
    above, below = column("above", 100, 20, 4, width=840), column("below", 100, 640, 4, width=840)
    assert order(above + LEFT + RIGHT + below) == texts(above + LEFT + RIGHT + below)


def test_a_short_heading_below_the_columns_is_not_part_of_the_left_column():
    heading = [line("Further notes", 100, 600)]
    below = column("below", 100, 640, 4, width=840)
    assert order(LEFT + RIGHT + heading + below) == texts(LEFT + RIGHT + heading + below)


def test_a_running_head_across_the_gutter_is_read_first_with_the_date_beside_it():
    head = [line("3 May 2024", 100, 165, width=110), line("The title of the page", 430, 165, width=210)]
    assert order(head + LEFT + RIGHT) == texts(head + LEFT + RIGHT)


def test_an_inset_across_the_gutter_comes_after_the_columns():
    left = [x for i, x in enumerate(column("left", 100, 200, 30)) if i not in (14, 15)]
    right = [x for i, x in enumerate(column("right", 540, 200, 30)) if i not in (14, 15)]
    narrow = [line(f"beside {i} the caption", 100, 200 + i * PITCH, width=250) for i in (14, 15)]
    caption = [line("A caption here", 430, 200 + i * PITCH, width=180) for i in (14, 15)]
    page = left[:14] + narrow + left[14:] + right + caption
    assert order(page) == texts(page)


def test_running_heads_and_feet_are_read_first_and_last():
    head = [line("12", 100, 100), line("The Title of the Book", 600, 100)]
    foot = [line("Magazine, May 1993", 100, 640)]
    assert order(head + LEFT + RIGHT + foot) == texts(head + LEFT + RIGHT + foot)


def wide_rows(name, left, top, count, pitch=44):
    """Lines with more white between them than their own height."""
    return [line(f"{name} {i} lorem ipsum dolor sit", left, top + i * pitch, width=400) for i in range(count)]


def test_columns_of_widely_spaced_lines_keep_their_first_and_last_lines():
    page = wide_rows("left", 100, 200, 12) + wide_rows("right", 540, 200, 12)
    assert order(page) == texts(page)


def test_running_heads_and_feet_of_widely_spaced_columns_are_read_first_and_last():
    head, foot = [line("12", 100, 110), line("The Title of the Book", 600, 110)], [line("May 1993", 100, 800)]
    page = head + wide_rows("left", 100, 200, 12) + wide_rows("right", 540, 200, 12) + foot
    assert order(page) == texts(page)


def test_a_line_across_the_gutter_is_split_at_the_gap_between_its_words():
    joined = line("the end of one the start of two", 100, 560, width=840)
    joined = with_words(
        joined, ("the", 100, 150), ("end", 160, 210), ("of", 220, 260), ("one", 440, 498), ("the", 542, 600),
        ("start", 610, 700), ("of", 710, 740), ("two", 750, 938),
    )  # fmt: skip
    page = arrange(PageText([*LEFT, *RIGHT, joined]))
    assert texts(page.lines) == [*texts(LEFT), "the end of one", *texts(RIGHT), "the start of two"]
    first, second = page.lines[12], page.lines[25]
    assert first.box == box(100, 560, 520, 580)
    assert second.box == box(520, 560, 940, 580)
    assert (first.confidence, first.origin, texts(first.words)) == (0.9, "ocr", ["the", "end", "of", "one"])


def test_a_printed_rule_between_joined_lines_is_part_of_the_gutter():
    joined = with_words(
        line("left part | right part", 100, 170, width=840),
        ("left", 100, 250), ("part", 270, 490), ("|", 515, 520), ("right", 545, 700), ("part", 720, 938),
    )  # fmt: skip
    assert order([joined, *LEFT, *RIGHT]) == ["left part |", *texts(LEFT), "right part", *texts(RIGHT)]


def test_a_line_without_words_is_split_at_white_columns_of_the_image():
    joined = line("the end of one the start of two", 100, 560, width=840)
    image = Image.new("L", (1000, 800), 255)
    draw = ImageDraw.Draw(image)
    for left, right in ((102, 300), (306, 500), (540, 700), (706, 936)):
        draw.rectangle((left, 563, right, 577), fill=0)
    assert order([*LEFT, *RIGHT, joined], image)[12] == "the end of one"


def test_a_line_of_the_full_width_is_not_split_at_one_of_its_spaces():
    words = [(f"word{i}", 100 + i * 84, 172 + i * 84) for i in range(10)]
    wide = with_words(line(" ".join(w for w, _, _ in words), 100, 170, width=840), *words)
    assert order([wide, *LEFT, *RIGHT])[0] == wide.text


def test_a_large_heading_is_not_split_at_the_gutter():
    words = ("What", 300, 380), ("Kids", 400, 490), ("Need", 550, 640), ("Most", 660, 740)
    heading = with_words(line("What Kids Need Most", 300, 100, size=60, width=440), *words)
    assert order([heading, *LEFT, *RIGHT])[0] == heading.text


def at(given, left, top, degrees):
    """The line, turned around its first corner, which is put at a place."""
    moved = replace(given, box=tuple((x - given.box[0][0], y - given.box[0][1]) for x, y in given.box))
    (found,) = turned([moved], degrees)
    return replace(found, box=tuple((x + left, y + top) for x, y in found.box))


def test_notes_in_the_margin_and_stamps_across_the_page_are_read_last():
    body = column("body", 100, 100, 20, width=700)
    note = at(line("arXiv:2411.01234v1 [cs.DL] 3 Nov 2026", 0, 0), 40, 600, -90)
    stamp = at(line("COPY", 0, 0, size=60), 300, 500, -40)
    found = arrange(PageText(shuffled([*body, note, stamp])))
    assert texts(found.lines)[:20] == texts(body)
    assert sorted(texts(found.lines)[20:]) == sorted([note.text, stamp.text])
    assert found.text.startswith("\n".join(texts(body)) + "\n\n")


def test_the_lines_of_a_note_that_runs_downwards_keep_their_order():
    body = column("body", 100, 100, 20, width=700)
    note = [at(line(f"line {i} of the note", 0, 0), 960 - 30 * i, 100, 90) for i in range(3)]
    assert texts(arrange(PageText([*body, *note])).lines) == texts([*body, *note])


def test_marks_that_lean_are_in_no_row_however_short():
    marks = [replace(line("CO", 0, 0), box=((x, 400), (x + 20, 385), (x + 30, 400), (x + 10, 415))) for x in (200, 700)]
    text = column("text", 100, 200, 12)
    assert order(text + marks) == [*texts(text), "CO", "CO"]


def test_a_short_word_that_stands_upright_stays_beside_its_line():
    label = at(line("Form", 0, 0), 80, 120, -90)
    title = line("1040", 110, 90, size=30)
    assert order([label, title, *column("body", 100, 200, 8, width=700)])[:2] == ["Form", "1040"]


def test_a_receipt_is_read_row_by_row():
    items = ["Coffee", "Cake with cream", "Total", "Cash", "Change", "Tax in per cent", "Tax"]
    rows = [(line(item, 100, 200 + 30 * i), line(f"{i}.50", 400, 203 + 30 * i)) for i, item in enumerate(items)]
    assert order([x for row in rows for x in row]) == [x.text for row in rows for x in row]
    assert arrange(PageText([x for row in rows for x in row])).plain.splitlines()[0] == "Coffee  0.50"


def test_long_labels_are_read_with_what_stands_beside_them():
    names = ["Start of the system", "Network card", "Hard drives", "Clock and time zone", "User and password"] * 2
    labels = [line(f"{name}:", 100, 200 + PITCH * i, width=200) for i, name in enumerate(names)]
    answers = [line(f"[ ] found at once, {i} times", 320, 200 + PITCH * i, width=260) for i in range(len(names))]
    assert order(labels + answers) == [x.text for row in zip(labels, answers, strict=True) for x in row]


def test_a_table_is_read_row_by_row():
    cells = [line(f"cell {row} of {name}", left, 200 + 40 * row) for row in range(8) for name, left in
             (("the first", 100), ("the second", 400), ("three", 700))]  # fmt: skip
    assert order(cells) == texts(cells)


def test_a_table_in_a_column_of_two():
    cells = [line(f"{row}{name}", left, 600 + 30 * row) for row in range(4) for name, left in (("a", 100), ("b", 300))]
    right = column("right", 540, 215, 18)
    assert order(LEFT + cells + right) == texts(LEFT + cells + right)


def test_side_notes_do_not_interrupt_the_text():
    text = column("text", 300, 200, 20, width=600)
    notes = [line(note, 100, 207 + 23 * i, size=14) for i, note in enumerate(["of ships", "and sails", "and wax"])]
    assert order(text + notes) in (texts(notes + text), texts(text + notes))


def test_columns_written_downwards_are_read_from_right_to_left():
    downwards = [Line(f"第{n}行の文字", box(900 - 40 * n, 100, 930 - 40 * n, 500)) for n in range(8)]
    assert order(downwards) == texts(downwards)


def test_a_title_above_columns_written_downwards_is_read_first():
    columns = [Line("日本語の文章です", box(400 - 40 * i, 200, 420 - 40 * i, 380)) for i in range(3)]
    title, foot = line("図書室だより", 250, 100), line("町内会", 300, 420)
    assert order([title, *columns, foot]) == ["図書室だより", *texts(columns), "町内会"]


def test_latin_text_in_tall_boxes_is_not_written_downwards():
    tall = [Line(f"row {n}", box(100 + 200 * n, 100, 130 + 200 * n, 300)) for n in range(4)]
    assert order(tall) == texts(tall)


def test_columns_of_text_that_runs_to_the_left_are_read_from_right_to_left():
    right, left = leftwards(LEFT, 1000), leftwards(RIGHT, 1000)
    assert right[0].box[0][0] > left[0].box[1][0]
    assert order(left + right) == texts(right + left)
    assert order(turned(left + right, 3)) == texts(right + left)


def test_a_table_in_text_that_runs_to_the_left_is_read_from_the_right():
    rows = [line(f"{word} {i}", 100 + 400 * j, 200 + 60 * i) for i in range(4) for j, word in enumerate(("cup", "pot"))]
    assert order(leftwards(rows, 1000)) == texts(leftwards(rows, 1000))


def test_a_line_across_the_gutter_that_runs_to_the_left_begins_with_its_right_part():
    joined = with_words(
        line("the end of one the start of two", 100, 560, width=840), ("the", 100, 150), ("end", 160, 210),
        ("of", 220, 260), ("one", 440, 498), ("the", 542, 600), ("start", 610, 700),
        ("of", 710, 740), ("two", 750, 938),
    )  # fmt: skip
    page = arrange(PageText(leftwards([*LEFT, *RIGHT, joined], 1000)))
    first, second = page.lines[12], page.lines[25]
    ends = leftwards([line("the end of one", 100, 560), line("the start of two", 100, 560)], 1000)
    assert texts((first, second)) == texts(ends)
    assert first.box == box(480, 560, 900, 580)
    assert second.box == box(60, 560, 480, 580)
    assert (len(first.words), len(second.words)) == (4, 4)


def test_lines_of_a_text_layer_are_read_the_same_way():
    layer = [replace(x, confidence=None, origin="text_layer") for x in LEFT + RIGHT]
    page = arrange(PageText(layer[::-1]))
    assert page.lines == layer
    assert page.confidence is None


def test_short_columns_of_sentences_are_read_one_after_the_other():
    left = [
        "The harbour office collected the yearly",
        "fees and the rent of the sheds, then it",
        "wrote to all owners of boats that",
    ]
    right = [
        "repaired the lamp on the old mole before",
        "the winter storms. The diver found",
        "loose stones below the quay. They were",
    ]
    page = [line(text, x, 200 + i * PITCH) for x, texts in ((100, left), (700, right)) for i, text in enumerate(texts)]
    assert order(page) == left + right


def test_rows_whose_cells_are_not_quite_level_are_read_row_by_row():
    codes = [line(f"E{i}07.0{i}", 100, 200 + i * PITCH - 5 * (i % 3 > 0)) for i in range(9)]
    faults = [line(f"Door sensor {i}: no signal from it", 300, 200 + i * PITCH) for i in range(9)]
    assert order(codes + faults) == [x.text for pair in zip(codes, faults, strict=True) for x in pair]


def test_single_letters_are_in_the_column_of_their_heading():
    labels = [line(f"Some advice about parcels {i}", 100, 190 + i * 37) for i in range(6)]
    sizes = [line(text, 600, 200 + i * 50) for i, text in enumerate(["Class", "XS", "S", "M", "XL"])]
    lengths = [line(text, 750, 200 + i * 50) for i, text in enumerate(["Longest", "35 cm", "45 cm", "60 cm", "99 cm"])]
    assert order(labels + sizes + lengths)[6:] == [x.text for pair in zip(sizes, lengths, strict=True) for x in pair]


def test_an_address_beside_labels_and_values_makes_no_column_of_what_is_below_it():
    page = [line(f"Address of the buyer, line {i}", 100, 200 + i * 37) for i in range(9)]
    for i in range(8):
        page += [line(f"Label {i}", 600, 205 + i * PITCH), line(f"value {i}", 800, 205 + i * PITCH)]
    rows = [[f"Some goods that are sold {i}", str(i), f"{i},20"] for i in range(4)]
    for i, row in enumerate(rows):
        page += [line(text, x, 573 + i * PITCH) for text, x in zip(row, (100, 600, 800), strict=True)]
    assert order(page)[-12:] == [text for row in rows for text in row]


def test_what_is_printed_upside_down_is_read_from_its_first_line():
    answers = column("answers", -500, -900, 5, width=300)
    assert order(column("upright", 100, 200, 8) + turned(answers, 180)) == texts(
        column("upright", 100, 200, 8) + answers
    )


def test_a_page_with_text_markdown_or_blocks_is_not_changed():
    blocks = (Block(BlockKind.HEADING, lines=(0,), text=RIGHT[0].text, level=1),)
    for known in ({"text": "x"}, {"markdown": "# x"}, {"blocks": blocks}):
        page = PageText(RIGHT + LEFT, **known)
        assert arrange(page) is page
    assert arrange(PageText([])) == PageText([])


def test_what_is_not_made_anew_is_kept():
    page = arrange(PageText(RIGHT + LEFT, warnings=(PageWarning("cut_off", "why"),), unread=0.5))
    assert (page.unread, [warning.code for warning in page.warnings]) == (0.5, ["cut_off"])


numbers = st.one_of(
    st.floats(-100, 3000),
    st.integers(0, 2000).map(float),
    st.sampled_from([0.0, -1e9, 1e300, float("nan"), float("inf")]),
)
points = st.tuples(numbers, numbers)
rectangles = st.builds(lambda x, y, w, h: box(x, y, x + w, y + h), *[st.floats(0, 2000)] * 2, *[st.floats(0, 500)] * 2)
boxes = st.one_of(rectangles, st.tuples(points, points, points, points))
contents = st.text(st.characters(exclude_categories=["Cs"]), max_size=30) | st.sampled_from(["a b c", "1. x", "縦書き"])
words = st.lists(st.builds(Word, st.sampled_from(["a", "b", "c", "|", ""]), boxes), max_size=4).map(tuple)
lines = st.builds(Line, contents, boxes, st.none() | st.floats(0, 1), st.sampled_from(["ocr", "text_layer"]), words)


def characters(page):
    return sorted(char for x in page.lines for char in x.text if not char.isspace())


@settings(max_examples=150, deadline=None, derandomize=True)
@given(st.lists(lines, max_size=25))
def test_no_character_is_lost_or_added_for_any_boxes(found):
    page = PageText(found)
    arranged = arrange(page, Image.new("L", (300, 300), 255))
    assert characters(arranged) == characters(page)
    assert "".join(arranged.plain.split()) == "".join("".join(x.text for x in arranged.lines).split())
    assert arrange(page) == arrange(page)


def calls_to_arrange(count):
    """The number of Python function calls that arrange a page of `count` lines."""
    page = PageText([line(f"line {i} of some length", i % 10 * 330, i // 10 * 25 + i % 7) for i in range(count)])
    calls = 0

    def on_event(_frame, event, _argument):
        nonlocal calls
        calls += event == "call"

    sys.setprofile(on_event)
    try:
        arrange(page)
    finally:
        sys.setprofile(None)
    return calls


def test_the_work_grows_in_proportion_to_the_number_of_lines():
    assert calls_to_arrange(2000) < 1.2 * 10 * calls_to_arrange(200)
