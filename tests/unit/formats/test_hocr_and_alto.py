"""hOCR and ALTO: the boxes of lines and words, and validity."""

import io
import re
from functools import cache
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from lxml import etree

from ocrqueue.blocks import Block, BlockKind, Cell
from ocrqueue.errors import PageError
from ocrqueue.formats import write
from ocrqueue.formats.placement import lines_of
from ocrqueue.pages import Line, PageText
from ocrqueue.storage.results import PageFacts, failed_page, page_result, result_header

DATA = Path(__file__).parents[2] / "data"
XHTML = "{http://www.w3.org/1999/xhtml}"
ALTO = "{http://www.loc.gov/standards/alto/ns-v4#}"
FACTS = PageFacts(width=600, height=800, dpi=150)


def rectangle(left, top, right, bottom):
    return (left, top), (right, top), (right, bottom), (left, bottom)


SLANTED = (100.0, 100.0), (300.0, 120.0), (298.0, 140.0), (98.0, 120.0)
UPWARDS = (20.0, 500.0), (20.0, 300.0), (45.0, 300.0), (45.0, 500.0)
LINES = [
    Line("plain words here", rectangle(50, 40, 350, 70), 0.987),
    Line("slanted line", SLANTED, 0.5),
    Line("turned upwards", UPWARDS, None),
    Line('<script>&"\x1b[2J\x00\ufffe\ud800', rectangle(50, 200, 350, 230), 1.0, "text_layer"),
    Line("   ", rectangle(50, 240, 350, 260), 0.3),
    Line("日本語", rectangle(400, 40, 420, 100), 0.7),
]
PAGES = [
    page_result(1, PageText(LINES), FACTS),
    failed_page(2, PageError("timeout", "too long -->")),
    page_result(3, PageText(text="no places\nat <all>"), FACTS),
    page_result(7, PageText(), FACTS),
]


def header(name="a.pdf", lang=None, structure=False):
    counts = {"ok": 3, "failed": 1, "cancelled": 0}
    options = {"lang": lang} if lang else {}
    return result_header(
        job="j", state="partial", source={"name": name}, options=options, counts=counts, seconds=1, structure=structure
    )


def made(format, pages=PAGES, **about):
    stream = io.StringIO()
    structure = any(page.get("blocks") is not None for page in pages)
    write(format, iter(pages), header(**about, structure=structure), stream)
    return stream.getvalue()


def properties(element):
    """The properties in the title of an hOCR element, by name."""
    return dict(part.strip().split(" ", 1) for part in element.get("title").split(";"))


def box_of(element):
    return [int(value) for value in properties(element)["bbox"].split()]


def hocr(**about):
    text = made("hocr", **about)
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufffe]", text)
    return ET.fromstring(text.encode())


def of_class(root, name):
    return [element for element in root.iter() if element.get("class") == name]


def test_hocr_is_xhtml_that_declares_its_capabilities():
    root = hocr()
    assert root.tag == f"{XHTML}html"
    meta = {e.get("name"): e.get("content") for e in root.iter(f"{XHTML}meta") if e.get("name")}
    assert meta["ocr-system"].startswith("ocr-queue ")
    assert meta["ocr-number-of-pages"] == "4"
    classes = {e.get("class") for e in root.iter() if e.get("class")}
    assert classes == set(meta["ocr-capabilities"].split())
    ids = [e.get("id") for e in root.iter() if e.get("id")]
    assert len(set(ids)) == len(ids)


@pytest.mark.parametrize("format", ["hocr", "alto"])
def test_text_of_a_document_is_escaped(format):
    hostile = "</title><script>alert(1)</script><img src=x onerror='alert(2)' \">"
    line = Line(hostile, rectangle(50, 40, 350, 70), 0.9)
    text = made(format, [page_result(1, PageText([line]), FACTS)], name=hostile, lang='en" onload="alert(3)')
    root = ET.fromstring(text.encode())
    assert not re.search("<(script|img)|onload=", text)
    assert {e.tag.rpartition("}")[2] for e in root.iter()}.isdisjoint({"script", "img"})
    assert not {name for e in root.iter() for name in e.attrib if name.startswith("on")}
    assert " ".join([*root.itertext(), *(v for e in root.iter() for v in e.attrib.values())]).count("<script>") >= 2


def test_hocr_pages_name_their_image_number_and_resolution():
    first, second, _, last = of_class(hocr(name='odd "name"; x\n.pdf'), "ocr_page")
    about = properties(first)
    assert about == {"image": "\"odd 'name', x .pdf\"", "bbox": "0 0 600 800", "ppageno": "0", "scan_res": "150 150"}
    assert properties(second)["x_error"] == "timeout"
    assert properties(last)["ppageno"] == "6"


def test_hocr_words_lie_in_their_lines_and_lines_on_their_page():
    page = of_class(hocr(), "ocr_page")[0]
    lines = of_class(page, "ocr_line")
    assert ["".join(line.itertext()) for line in lines] == [
        "plain words here", "slanted line", "turned upwards", '<script>&"[2J��', "日本語"
    ]  # fmt: skip
    for line in lines:
        left, top, right, bottom = box_of(line)
        assert 0 <= left < right <= 600
        assert 0 <= top < bottom <= 800
        for word in of_class(line, "ocrx_word"):
            inner = box_of(word)
            assert left <= inner[0] < inner[2] <= right
            assert top <= inner[1] < inner[3] <= bottom
    words = of_class(lines[0], "ocrx_word")
    assert [properties(word)["x_wconf"] for word in words] == ["99"] * 3
    assert all(box_of(one)[2] <= box_of(other)[0] for one, other in pairwise(words))
    assert "x_wconf" not in properties(of_class(lines[2], "ocrx_word")[0])


def test_hocr_lines_have_their_baseline_and_origin():
    plain, slanted, upwards, layer, downwards = map(properties, of_class(hocr(), "ocr_line")[:5])
    assert plain["baseline"] == "0.0000 -6"
    assert plain["x_size"] == "30.0"
    assert slanted["baseline"].startswith("0.1000 ")
    assert upwards["textangle"] == "90.0"
    assert downwards["textangle"] == "270.0"
    assert (plain["x_origin"], layer["x_origin"]) == ("ocr", "text_layer")


def test_hocr_lines_without_places_have_the_box_of_the_page_and_no_words():
    page = of_class(hocr(), "ocr_page")[2]
    lines = of_class(page, "ocr_line")
    assert [line.text for line in lines] == ["no places", "at <all>"]
    assert box_of(lines[0]) == [0, 0, 600, 800]
    assert of_class(page, "ocrx_word") == []


@pytest.mark.parametrize(("lang", "written"), [("de", "de"), (None, None), ("de/../x", None), ("zh-Hant", "zh-Hant")])
def test_the_language_is_written_if_it_is_a_language_tag(lang, written):
    assert hocr(lang=lang).get("lang") == written
    page = alto(lang=lang).find(f".//{ALTO}Page")
    assert page.get("LANG") == written


@cache
def schema():
    class Offline(etree.Resolver):
        def resolve(self, url, _id, context):
            return self.resolve_filename(str(DATA / "alto" / url.rpartition("/")[2]), context)

    parser = etree.XMLParser(no_network=True)
    parser.resolvers.add(Offline())
    return etree.XMLSchema(etree.parse(DATA / "alto" / "alto-4-4.xsd", parser))


def alto(pages=PAGES, **about):
    root = etree.fromstring(made("alto", pages, **about).encode())
    schema().assertValid(root)
    return root


def test_the_schema_refuses_an_invalid_file():
    wrong = made("alto").replace("PHYSICAL_IMG_NR", "NUMBER")
    assert not schema().validate(etree.fromstring(wrong.encode()))


@pytest.mark.parametrize("pages", [PAGES, PAGES[:1], PAGES[1:2], []])
def test_alto_is_valid_for_all_kinds_of_pages(pages):
    alto(pages, name='odd "name" <&>.pdf', lang="fr")


def test_alto_words_are_those_of_the_lines():
    lines = alto().findall(f".//{ALTO}TextLine")
    texts = [" ".join(s.get("CONTENT") for s in line.iter(f"{ALTO}String")) for line in lines]
    expected = [line.text for page in PAGES for line in lines_of(page)]
    assert texts == expected
    assert lines[0].find(f"{ALTO}String").get("WC") == "0.987"
    assert [line.get("TAGREFS") for line in lines[:5]] == ["ocr", "ocr", "ocr", "text_layer", "ocr"]


def test_alto_has_the_upright_box_and_the_corners_of_slanted_lines():
    plain, slanted = alto().findall(f".//{ALTO}TextLine")[:2]
    assert [slanted.get(name) for name in ("HPOS", "VPOS", "WIDTH", "HEIGHT")] == ["98", "100", "202", "40"]
    assert slanted.find(f".//{ALTO}Polygon").get("POINTS") == "100,100 300,120 298,140 98,120"
    assert plain.find(f"{ALTO}Shape") is None
    gap = plain.find(f"{ALTO}SP")
    one, other = plain.findall(f"{ALTO}String")[:2]
    assert float(one.get("HPOS")) + float(one.get("WIDTH")) == pytest.approx(float(gap.get("HPOS")), abs=0.2)
    assert float(gap.get("HPOS")) + float(gap.get("WIDTH")) == pytest.approx(float(other.get("HPOS")), abs=0.2)


def test_pages_are_written_one_by_one():
    """Both formats write a page before they ask for the next one."""

    class Sink(io.StringIO):
        def write(self, text):
            written.append(text)
            return len(text)

    for name in ("hocr", "alto"):
        written = []
        seen = []

        def pages(written=written, seen=seen):
            for number in (1, 2, 3):
                seen.append(len("".join(written)))
                yield {**PAGES[0], "page": number}

        write(name, pages(), header(), Sink())
        assert seen[0] < seen[1] - 1000 < seen[2] - 2000


def test_the_first_word_of_a_right_to_left_line_is_on_the_right():
    page = page_result(1, PageText([Line("שלום עולם", rectangle(0, 0, 200, 30))]), FACTS)
    first, second = lines_of(page)[0].words()
    assert first.text == "שלום"
    assert first.box[0][0] > second.box[1][0]


def test_each_word_has_its_own_confidence_where_it_is_known():
    line = Line("to  be 日本語", rectangle(50, 40, 350, 70), 0.9)
    page = page_result(1, PageText([line]), FACTS)
    page["lines"][0]["words"] = [[0, 2, 0.99], [4, 6, 0.5], [7, 9, 0.9], [9, 10, 0.3]]
    assert re.findall(r"x_wconf (\d+)", made("hocr", [page])) == ["99", "50", "70"]
    words = ET.fromstring(made("alto", [page]).encode()).iter(f"{ALTO}String")
    assert [float(word.get("WC", 0)) for word in words] == pytest.approx([0.99, 0.5, 0.7])
    del page["lines"][0]["words"]  # an older version wrote the page
    assert re.findall(r"x_wconf (\d+)", made("hocr", [page])) == ["90", "90", "90"]


BOX = rectangle(40, 30, 360, 80)
BLOCKS = (
    Block(BlockKind.PAGE_HEADER, BOX, (0,)),
    Block(BlockKind.TABLE, BOX, (2, 1), cells=(Cell(0, 0),)),
    Block(BlockKind.PICTURE, rectangle(400, 300, 500, 400), (3,)),
    Block(BlockKind.PICTURE, rectangle(400, 500, 500, 600)),
    Block(BlockKind.PARAGRAPH, None, (99,)),
)
STRUCTURED = [
    PAGES[1],
    page_result(3, PageText(LINES, blocks=BLOCKS), FACTS),
    page_result(4, PageText(blocks=()), FACTS),
]


def test_hocr_has_an_area_for_each_block_and_no_line_is_lost():
    text = made("hocr", STRUCTURED)
    root = ET.fromstring(text.encode())
    (capabilities,) = [e.get("content") for e in root.iter() if e.get("name") == "ocr-capabilities"]
    classes = {e.get("class") for e in root.iter() if e.get("class")}
    assert classes <= set(capabilities.split())
    areas = [e for e in of_class(root, "ocr_page")[1] if e.get("class")]
    assert [e.get("class") for e in areas] == [
        "ocr_header", "ocr_table", "ocr_photo", "ocr_carea", "ocr_photo", "ocr_carea"
    ]  # fmt: skip
    assert [properties(e)["x_kind"] for e in areas[3::2]] == ["other", "paragraph"]
    assert box_of(areas[0]) == [40, 30, 360, 80]
    lines = ["".join(line.itertext()) for line in of_class(root, "ocr_line")]
    assert sorted(lines) == sorted(line.text for line in lines_of(STRUCTURED[1]))
    assert lines[1:3] == ["turned upwards", "slanted line"]
    ids = [e.get("id") for e in root.iter() if e.get("id")]
    assert len(set(ids)) == len(ids)


def test_alto_has_tagged_blocks_and_no_line_is_lost():
    root = alto(STRUCTURED)
    space = root.findall(f".//{ALTO}PrintSpace")[0]
    assert [(e.tag.removeprefix(ALTO), e.get("TAGREFS")) for e in space] == [
        ("TextBlock", "page_header"), ("ComposedBlock", "table"), ("ComposedBlock", "picture"), ("TextBlock", None),
        ("ComposedBlock", "picture"), ("TextBlock", "paragraph"),
    ]  # fmt: skip
    assert [len(e.findall(f"{ALTO}Illustration")) for e in space] == [0, 0, 1, 0, 1, 0]
    assert space[1].get("TYPE") == "table"
    lines = [" ".join(s.get("CONTENT") for s in e.iter(f"{ALTO}String")) for e in root.iter(f"{ALTO}TextLine")]
    assert sorted(lines) == sorted(line.text for line in lines_of(STRUCTURED[1]))
