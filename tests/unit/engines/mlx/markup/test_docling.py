"""DocTags, as docling-core writes them (`test/data/doc/*.dt`, `types/doc/tokens.py`)."""

import pytest

from tests.support.markup import boxes, parse, texts

AT = "<loc_1><loc_2><loc_3><loc_4>"


def test_a_page():
    answer = (
        "<doctag><page_header><loc_50><loc_10><loc_450><loc_20>Journal</page_header>"
        "<section_header_level_1><loc_50><loc_25><loc_450><loc_50>Results</section_header_level_1>\n"
        "<text><loc_50><loc_100><loc_250><loc_150>It is < 5.</text>"
        "<unordered_list><list_item><loc_60><loc_160><loc_200><loc_170>first</list_item></unordered_list>"
        "<picture><loc_0><loc_200><loc_100><loc_300></picture>"
        "<formula><loc_50><loc_310><loc_250><loc_320>a=b</formula>"
        "<otsl><loc_50><loc_350><loc_450><loc_400><ched>A<ched>B<nl><fcel>1<ecel><nl></otsl></doctag><|end_of_text|>"
    )
    page = parse("doctags", answer)
    assert page.markdown == (
        "Journal\n\n## Results\n\nIt is < 5.\n\n- first\n\n$$\na=b\n$$\n\n| A | B |\n| --- | --- |\n| 1 |  |"
    )
    assert texts(page) == ["Journal", "Results", "It is < 5.", "- first", "a=b", "A\tB\n1"]
    assert boxes(page)[1] == (100, 100, 900, 200)


@pytest.mark.parametrize(
    ("answer", "markdown"),
    [
        ("<title>Report</title>\n<text>no place</text>", "# Report\n\nno place"),
        (
            "<unordered_list><list_item>one</list_item>\n<ordered_list><list_item>deeper</list_item></ordered_list>\n",
            "- one\n\n- deeper",
        ),
        (
            "<list_item>one<ordered_list><list_item>deeper</list_item></ordered_list></list_item>",
            "- one\n\n- deeper",
        ),
        ("<list_item><inline><text>Press</text>\n<code><_unknown_>q</code>\n</inline></list_item>", "- Press q"),
        ("<inline><text>Let</text><formula>a=b</formula><text>be</text></inline>", "Let $a=b$ be"),
        (f"<code>{AT}<_C++_>vector<int> a;</code>", "```\nvector<int> a;\n```"),
        (f"<picture>{AT}<bar_chart></picture>", ""),
        (f"<picture>{AT}<caption>{AT}Figure 1</caption></picture>", "Figure 1"),
        (f"<picture>{AT}<logo>ACME</picture>", "ACME"),
        (
            f"<chart>{AT}<bar_chart><ched>Year<ched>Sum<nl><fcel>2024<fcel>12<nl><caption>{AT}Sales</caption></chart>",
            "Sales\n\n| Year | Sum |\n| --- | --- |\n| 2024 | 12 |",
        ),
        (f"<document_index>{AT}<fcel>Contents<fcel>1<nl></document_index>", "| Contents | 1 |\n| --- | --- |"),
        (f"<otsl>{AT}<fcel>a<nl><caption>{AT}Table 1</caption></otsl>", "Table 1\n\n| a |\n| --- |"),
        (
            "<otsl><fcel><otsl><fcel>x<fcel>y<nl></otsl><fcel><list_item>z</list_item><nl></otsl>",
            "| x y | z |\n| --- | --- |",
        ),
        (f"<checkbox_selected>{AT}paid</checkbox_selected>", "- [x] paid"),
        (f"<checkbox_unselected>{AT}open</checkbox_unselected>", "- [ ] open"),
        (f"<handwritten_text>{AT}Dear Sir</handwritten_text>", "Dear Sir"),
        (f"<page_footer>{AT}7</page_footer>", "7"),
        (
            f"<key_value_region>{AT}<key_0>{AT}To:<link_1></key_0><value_1>{AT}Ann</value_1></key_value_region>",
            "To:\n\nAnn",
        ),
        (f"<text>{AT}whole</text>\n<text>{AT}cut sh", "whole\n\ncut sh"),
        (f"<handwritten_text>{AT}cut", "cut"),
        ("<text>a</title>b</text>", "ab"),
        ("before<text>in</text>after", "before\n\nin\n\nafter"),
        ("<unknown>word</unknown>", r"\<unknown>word\</unknown>"),
        ("<inline><text>vector<int></text><formula>a<b</formula></inline>", r"vector\<int> $a<b$"),
        ("<otsl><fcel><b>|<fcel><text><i></text><nl></otsl>", r"| \<b>\| | \<i> |" + "\n| --- | --- |"),
    ],
)
def test_elements(answer, markdown):
    assert parse("doctags", f"<doctag>{answer}</doctag>").markdown == markdown


def test_text_that_looks_like_html_is_text():
    """DocTags are no Markdown: `<` is a character of the page, and must not begin a tag where Markdown is shown."""
    page = parse(
        "doctags", "<text><script>x</script> 1 < 2</text><picture><b></picture><otsl><fcel><i>&amp;<nl></otsl>"
    )
    assert page.markdown == "\\<script>x\\</script> 1 < 2\n\n| \\<i>&amp; |\n| --- |"
    assert page.plain == "<script>x</script> 1 < 2\n\n<i>&"


def test_cells_that_go_on_are_spans():
    answer = (
        "<otsl><ched>Product<ched>Years<lcel><nl><ucel><fcel>2016<fcel>2017<nl><fcel>Apple<fcel>1<fcel>2<nl></otsl>"
    )
    page = parse("doctags", answer)
    assert page.markdown == (
        '<table>\n<tr><th rowspan="2">Product</th><th colspan="2">Years</th></tr>\n'
        "<tr><td>2016</td><td>2017</td></tr>\n<tr><td>Apple</td><td>1</td><td>2</td></tr>\n</table>"
    )
    assert page.plain == "Product\tYears\n\t2016\t2017\nApple\t1\t2"


def test_the_page_ends_with_its_closing_tag():
    assert parse("doctags", "<doctag><text>page</text></doctag><doctag><text>more</text>").plain == "page"


def test_a_cut_element_keeps_its_text_and_its_box():
    page = parse("doctags", "<doctag><text><loc_100><loc_100><loc_200><loc_200>never closed")
    assert (page.plain, boxes(page)) == ("never closed", [(200, 400, 400, 800)])


def test_an_element_inside_of_another_has_its_own_box():
    page = parse("doctags", f"<picture>{AT}<caption><loc_0><loc_0><loc_500><loc_500>Figure</caption></picture>")
    assert (texts(page), boxes(page)) == (["Figure"], [(0, 0, 1000, 2000)])


def test_places_of_cells_are_not_that_of_the_table():
    page = parse("doctags", f"<otsl><fcel>{AT}a<fcel>{AT}b<nl></otsl>{AT}outside<text>in</text>after")
    assert (page.plain, texts(page)) == ("a\tb\n\noutside\n\nin\n\nafter", ["outside"])


@pytest.mark.parametrize("places", ["<loc_1><loc_2><loc_3>", "<loc_5>" * 4, "<loc_900>" * 4, "", "<loc_1/><loc_2/>"])
def test_wrong_places_give_no_box(places):
    page = parse("doctags", f"<text>{places}kept</text>")
    assert (page.plain, page.lines) == ("kept", [])


def test_places_in_the_wrong_order_and_beyond_the_grid():
    assert boxes(parse("doctags", "<text><loc_250><loc_999><loc_0><loc_250>x</text>")) == [(0, 1000, 500, 2000)]


def test_nesting_costs_no_stack_and_no_text():
    page = parse("doctags", "<inline>" * 5000 + "deep" + "</inline>" * 5000 + "after")
    assert page.plain.split() == ["deep", "after"]
