"""The JSON Schema of the result and the code that writes results agree."""

from ocrqueue.blocks import Block, BlockKind, Cell
from ocrqueue.errors import CODES, PageError
from ocrqueue.formats import FORMATS
from ocrqueue.pages import Line, PageText
from ocrqueue.states import WarningCode
from ocrqueue.storage import results
from ocrqueue.storage.blocks import block_of
from ocrqueue.storage.results import PageFacts
from tests.support.result_schema import errors, schema

BOX = ((0.0, 0.0), (9.0, 0.0), (9.0, 5.0), (0.0, 5.0))
BLOCKS = (
    Block(BlockKind.HEADING, BOX, (0,), "text", level=2, size=11.5, is_bold=True),
    Block(BlockKind.LIST_ITEM, None, (), "text", depth=1, marker="•", continues=True),
    Block(BlockKind.TABLE, BOX, cells=(Cell(0, 0, 1, 2, True, "a\nb", BOX), Cell(1, 0), Cell(1, 1))),
)
HEADER = results.result_header(
    job="0b4c8a2e-5f0e-4c57-9b6e-3f1f7c1f2a10",
    state="partial",
    source={"name": "scan.pdf", "sha256": "0" * 64, "bytes": 1, "pages": 3},
    options={"pages": "1-3", "formats": list(FORMATS)},
    counts={"ok": 1, "failed": 1, "cancelled": 1},
    seconds=1.5,
)
PAGE = results.page_result(
    1,
    PageText([Line("text", BOX, 0.5)], blocks=BLOCKS),
    PageFacts(width=9, height=5, dpi=72),
)


def test_every_kind_of_page_follows_the_schema() -> None:
    failed = [results.failed_page(2, PageError(code, "why")) for code in sorted(CODES)]
    assert errors(HEADER | {"pages": [PAGE, *failed, results.cancelled_page(3)]}) == []


def test_the_schema_describes_every_field_in_the_order_of_the_result() -> None:
    described = schema()
    assert list(described["properties"]) == [*HEADER, "pages"]
    assert list(described["$defs"]["page"]["properties"]) == list(PAGE)
    assert list(described["$defs"]["line"]["properties"]) == list(PAGE["lines"][0])


def test_every_field_is_required_except_those_that_workers_of_older_versions_do_not_write() -> None:
    described = schema()
    for part in (described, *(described["$defs"][name] for name in ("page", "line", "cell"))):
        newer = {"structure", "blocks", "quality", "poorly_read", "readings", "warnings", "words"}
        assert set(part["required"]) == set(part["properties"]) - newer


def test_blocks_are_the_same_after_they_were_stored() -> None:
    assert tuple(block_of(value) for value in PAGE["blocks"]) == BLOCKS
    assert schema()["$defs"]["block"]["properties"]["kind"]["enum"] == list(BlockKind)
    described = list(schema()["$defs"]["block"]["properties"])
    assert [name for name in described if any(name in block for block in PAGE["blocks"])] == described


def test_the_codes_of_warnings_are_those_of_the_code() -> None:
    warning = schema()["$defs"]["page"]["properties"]["warnings"]["items"]
    assert warning["properties"]["code"]["enum"] == list(WarningCode)
