"""Reading the pages of one claim: an error in one page of a batch fails that page only."""

import io
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image
from redis import Redis

from ocrqueue.blocks import Block, BlockKind
from ocrqueue.engines import Model
from ocrqueue.engines.holder import Loaded
from ocrqueue.errors import PageError
from ocrqueue.ledger import Claim, ClaimedPage, Job, Source
from ocrqueue.limits import Limits
from ocrqueue.options import Options
from ocrqueue.pages import PageText
from ocrqueue.steps import read
from ocrqueue.steps.page_cache import PageCache
from ocrqueue.steps.read import read_claim
from ocrqueue.storage.location import open_storage
from ocrqueue.storage.spool import Spool
from tests.support import numbered
from tests.support.engines import Batching
from tests.support.ledger_steps import JOB as ID

PAGES = 4
WRONG: dict[str, Callable[[], object]] = {
    "not a page": lambda: "text",
    "a text that is no text": lambda: PageText(text=5),  # type: ignore[arg-type]
    "a line that is no line": lambda: PageText(["line"]),  # type: ignore[list-item]
    "a message that is no text": lambda: PageError("engine_error", KeyError("x")),  # type: ignore[arg-type]
}


class Faulty(Batching):
    """Returns a wrong type for page 3."""

    page_seconds = 0.0

    def __init__(self, wrong: Callable[[], object]) -> None:
        super().__init__()
        self._wrong = wrong

    def read(self, pages: Sequence[Image.Image], options: Options) -> list[PageText | PageError]:
        found = super().read(pages, options)
        found[2] = self._wrong()  # type: ignore[call-overload]
        return found


class Panicking(Batching):
    """Raises what no `except Exception` catches."""

    def __init__(self, error: BaseException) -> None:
        super().__init__()
        self._error = error

    def read(self, pages: Sequence[Image.Image], options: Options) -> list[PageText | PageError]:  # noqa: ARG002
        raise self._error


class Titled(Batching):
    """Knows that the line of each page is a title."""

    page_seconds = 0.0

    def read(self, pages: Sequence[Image.Image], options: Options) -> list[PageText | PageError]:
        found = [page for page in super().read(pages, options) if isinstance(page, PageText)]
        return [replace(page, blocks=(Block(BlockKind.TITLE, lines=(0,), text=page.plain),)) for page in found]


class Short(Batching):
    """Returns one result fewer than it has pages."""

    page_seconds = 0.0

    def read(self, pages: Sequence[Image.Image], options: Options) -> list[PageText | PageError]:
        return super().read(pages, options)[:-1]


class Reader:
    """A claim of all pages of a numbered document in a spool."""

    def __init__(self, folder: Path, redis: Redis) -> None:
        self.spool = Spool(str(folder))
        self.spool.prepare()
        self.cache = PageCache(open_storage(str(folder)), redis, 10**9)
        stored = self.spool.put_source(ID, io.BytesIO(numbered.document(PAGES)), 10**6)
        source = Source("a.tif", stored.file, stored.sha256, stored.bytes)
        record = {"v": "1", "state": "running", "source": source.dumps(), "options": "{}", "created": "1"}
        job = Job.parse(ID, {**record, "n": str(PAGES), "total": str(PAGES)})
        self.claim = Claim(job, "token", tuple(ClaimedPage(n, 0) for n in range(1, PAGES + 1)))

    def read(self, engine: Batching) -> dict[int, str | None]:
        """The code of each page's error; None for a page that was read."""
        engine.load(Model("none", "1"))
        loaded = Loaded(engine, engine.default_model(), 0)
        results, _ = read_claim(self.claim, loaded, self.spool, self.cache, Limits())
        return {number: getattr(result, "code", None) for number, result in sorted(results.items())}


@pytest.fixture
def reader(tmp_path: Path, redis: Redis) -> Reader:
    return Reader(tmp_path / "spool", redis)


@pytest.mark.parametrize("wrong", WRONG)
def test_a_wrong_result_of_an_engine_fails_that_page_only(reader: Reader, wrong: str) -> None:
    assert reader.read(Faulty(WRONG[wrong])) == {1: None, 2: None, 3: "engine_error", 4: None}
    assert reader.spool.page_numbers(ID) == [1, 2, 4]


def test_an_unexpected_error_in_a_page_fails_that_page_only(
    reader: Reader, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def arrange(page: PageText, _image: Image.Image) -> PageText:
        if page.plain == numbered.text(3):
            raise RuntimeError("the test wants it")
        return page

    monkeypatch.setattr(read, "arrange", arrange)
    batching = Batching()
    batching.page_seconds = 0
    assert reader.read(batching) == {1: None, 2: None, 3: "internal_error", 4: None}
    assert reader.spool.page_numbers(ID) == [1, 2, 4]
    assert f"job={ID} pages=[3]: internal error" in caplog.text


@pytest.mark.parametrize("error", [KeyboardInterrupt(), GeneratorExit(), SystemExit(1), BaseException("panic")])
def test_whatever_an_engine_raises_fails_the_pages_of_its_batch(reader: Reader, error: BaseException) -> None:
    assert set(reader.read(Panicking(error)).values()) == {"engine_error"}


def test_the_blocks_of_an_engine_that_returns_lines_are_kept(reader: Reader) -> None:
    job = reader.claim.job
    reader.claim = replace(reader.claim, job=replace(job, options=replace(job.options, structure=True)))
    assert reader.read(Titled()) == {1: None, 2: None, 3: None, 4: None}
    page = reader.spool.stored_page(ID, 3)
    assert page
    assert page["blocks"] == [{"kind": "title", "box": None, "lines": [0], "text": numbered.text(3)}]


def test_an_engine_with_too_few_results_fails_all_pages_of_its_batch(reader: Reader) -> None:
    assert set(reader.read(Short()).values()) == {"engine_error"}
    assert reader.spool.page_numbers(ID) == []


def test_a_page_that_cannot_be_stored_fails_alone(reader: Reader, tmp_path: Path) -> None:
    (tmp_path / "spool" / "jobs" / ID / "pages" / "000002.json").mkdir(parents=True)  # blocks the name
    batching = Batching()
    batching.page_seconds = 0
    assert reader.read(batching) == {1: None, 2: "storage_error", 3: None, 4: None}


class One(Batching):
    """Reads one page at a time."""

    batch = 1
    page_seconds = 0.0


def test_a_claim_of_more_pages_than_the_engine_reads_at_once_ends_with_those(reader: Reader) -> None:
    assert reader.read(One()) == {1: None}
    assert reader.spool.page_numbers(ID) == [1]


def test_a_claim_of_more_pages_than_the_engine_reads_at_once_ends_after_a_second(
    reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(read, "_LONG", -1.0)
    assert reader.read(One()) == {}
    batching = Batching()
    batching.page_seconds = 0
    assert reader.read(batching) == {1: None, 2: None, 3: None, 4: None}, "it reads so many at once"
