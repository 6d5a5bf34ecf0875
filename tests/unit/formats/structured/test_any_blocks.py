"""Whatever blocks the pages of a document have: nothing fails, and no word is lost on the way to the formats."""

import io
import re
from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from ocrqueue.blocks import Block, BlockKind, Cell
from ocrqueue.formats import write
from ocrqueue.formats.structured.joined import joined
from ocrqueue.pages import Line, PageText
from ocrqueue.storage.results import PageFacts, page_result, result_header

HEADER = result_header(
    job="j",
    state="done",
    source={"name": "a.pdf"},
    options={"keep_running_heads": True},
    counts={"ok": 1, "failed": 0, "cancelled": 0},
    seconds=1,
    structure=True,
)
TEXTS = st.lists(
    st.sampled_from(
        ["", "worda wordb", "Wordc,", "wordd.", "1", "1.2 worde", "wordf1", "Table 1 wordg", "\n", "• wordh", "12"]
    ),
    max_size=5,
).map(" ".join)
BOXES = st.none() | st.tuples(st.integers(0, 900), st.integers(0, 990)).map(
    lambda p: ((p[0], p[1]), (p[0] + 80, p[1]), (p[0] + 80, p[1] + 9), (p[0], p[1] + 9))
)
CELLS = st.lists(
    st.builds(
        Cell,
        st.integers(0, 3),
        st.integers(0, 3),
        st.integers(1, 3),
        st.integers(1, 3),
        st.booleans(),
        TEXTS,
        BOXES,
    ),
    max_size=5,
).map(tuple)
BLOCKS = st.builds(
    Block,
    st.sampled_from(BlockKind),
    BOXES,
    st.lists(st.integers(0, 2), max_size=2).map(tuple),
    TEXTS,
    level=st.none() | st.integers(1, 6),
    depth=st.none() | st.integers(1, 5),
    marker=st.none() | st.sampled_from(["•", "1.", "ii)", "b)", "§ 5", "", "*", "1"]),
    cells=st.just(()) | CELLS,
    continues=st.booleans(),
    size=st.none() | st.floats(4, 40),
    is_bold=st.none() | st.booleans(),
)
LINES = [Line("worda", ((0, 0), (80, 0), (80, 9), (0, 9))), Line("wordb", ()), Line("wordc", ((5, 5),) * 4)]  # type: ignore[arg-type]


def words_of(text: str) -> Counter[str]:
    return Counter(re.findall(r"word[a-h]", text.lower()))


@settings(max_examples=60)
@given(st.lists(st.lists(BLOCKS, max_size=6), min_size=1, max_size=3), st.booleans())
def test_nothing_fails_and_no_word_is_lost(pages: list[list[Block]], is_read: bool) -> None:
    facts = PageFacts(width=980, height=1000, dpi=100, origin="ocr" if is_read else "text_layer")
    stored = [
        page_result(number, PageText(LINES, text="", blocks=tuple(blocks)), facts)
        for number, blocks in enumerate(pages, 1)
    ]
    final = list(joined(lambda: stored, keep_running_heads=True))
    wanted: Counter[str] = Counter()
    for page in final:
        for block in page["blocks"]:
            texts = [cell["text"] for cell in block.get("cells", ())] if block["kind"] == "table" else []
            wanted += words_of(" ".join(texts or [block["text"]]))
    for format in ("markdown", "html"):
        stream = io.StringIO()
        write(format, iter(final), HEADER, stream)
        assert words_of(stream.getvalue()) == wanted
    before = sum((words_of(block.text) for blocks in pages for block in blocks), Counter())
    after = sum((words_of(block["text"]) for page in final for block in page["blocks"]), Counter())
    assert after == before
