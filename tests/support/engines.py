"""Engines for tests. They read numbered pages, and fail on a page whose behaviour is a failure."""

import ctypes
import os
import re
import signal
import time
from collections.abc import Sequence
from dataclasses import replace

from PIL import Image

from ocrqueue.engines import Model
from ocrqueue.errors import ModelUnavailable, PageError
from ocrqueue.options import Options
from ocrqueue.pages import Line, PageText, PageWarning, Word
from ocrqueue.states import WarningCode
from tests.support import numbered

DOUBTFUL = "ABC 123 DEFG 4567"


class Numbered:
    """Reads numbered pages, one at a time, without delay."""

    name = "numbered"
    batch = 1
    dpi = 72
    load_seconds = 0.0
    page_seconds = 0.0

    def __init__(self) -> None:
        self._loaded = False

    def default_model(self) -> Model:
        """The model has no weights."""
        return Model("none", "1")

    def fingerprint(self) -> str:
        """The class name; a test may add TEST_ENGINE_FINGERPRINT."""
        return type(self).__name__ + os.environ.get("TEST_ENGINE_FINGERPRINT", "")

    def load(self, model: Model) -> None:  # noqa: ARG002 -- the interface
        """Take `load_seconds`, or fail if the file TEST_ENGINE_BROKEN exists."""
        if os.path.exists(os.environ.get("TEST_ENGINE_BROKEN", "")):  # noqa: PTH110
            raise ModelUnavailable("the test's model is broken: remove the file", "model_broken")
        time.sleep(self.load_seconds)
        self._loaded = True

    def read(self, pages: Sequence[Image.Image], options: Options) -> list[PageText | PageError]:  # noqa: ARG002
        """One line of text per page."""
        assert self._loaded
        time.sleep(self.page_seconds)
        _count(len(pages))
        return [self._read(page) for page in pages]

    def free_resources(self) -> None:
        """Nothing to free."""
        self._loaded = False

    def _read(self, page: Image.Image) -> PageText | PageError:
        number, behaviour = numbered.decode(page)
        _behave(behaviour)
        width, height = page.size
        box = ((0.0, 0.0), (width, 0.0), (width, height), (0.0, height))
        warnings = (PageWarning(WarningCode.CUT_OFF, "the test"),) * (behaviour == numbered.WARN)
        text = numbered.text(number)
        words = zip(text.split(), (0.95, 0.45), strict=True) if behaviour == numbered.WARN else ()  # one is doubtful
        line = Line(text, box, 0.9, words=tuple(Word(word, box, confidence) for word, confidence in words))
        return PageText([line], warnings=warnings)


class Slow(Numbered):
    """Takes 0.5 s per page."""

    name = "slow"
    page_seconds = 0.5


class Steady(Numbered):
    """Takes 2 s per page, about as long as a real engine."""

    name = "steady"
    page_seconds = 2.0


class Quick(Numbered):
    """Takes 0.05 s per page."""

    name = "quick"
    page_seconds = 0.05


class Sleeping(Numbered):
    """Takes TEST_PAGE_SECONDS per page."""

    name = "sleeping"
    page_seconds = float(os.environ.get("TEST_PAGE_SECONDS", "1.5"))


class Batching(Numbered):
    """Reads up to eight pages at once, in 0.5 s."""

    name = "batching"
    batch = 8
    page_seconds = 0.5


class SlowLoading(Numbered):
    """Takes longer to load than Celery waits by default for a new child."""

    name = "slow-loading"
    load_seconds = 6.0


class BlockingLoad(Numbered):
    """Loads for TEST_LOAD_SECONDS inside C. No other thread of its process runs during this time."""

    name = "blocking-load"

    def load(self, model: Model) -> None:
        """Hold the GIL all the time, like a library that reads from a slow disk."""
        end = time.monotonic() + float(os.environ["TEST_LOAD_SECONDS"])
        while (left := end - time.monotonic()) > 0:
            ctypes.PyDLL(None).usleep(int(min(left, 30) * 1e6))
        super().load(model)


class Unsure(Numbered):
    """Is sure of the pages from 6 on only."""

    name = "rapidocr"

    def _read(self, page: Image.Image) -> PageText | PageError:
        number, _ = numbered.decode(page)
        return _with_confidence(super()._read(page), 0.6 if number < 6 else 0.99)


class Second(Numbered):
    """Reads what `Unsure` reads badly: page 1 better, 2 worse; it fails on page 3, and dies on page 4."""

    name = "tesseract"

    def _read(self, page: Image.Image) -> PageText | PageError:
        number, _ = numbered.decode(page)
        if number in (3, 4):
            _behave(numbered.RAISE if number == 3 else numbered.KILL_CHILD)
        found = _with_confidence(super()._read(page), 0.2 if number == 2 else 0.99)
        return replace(found, lines=[replace(line, text=f"second {line.text}") for line in found.lines])


class Doubtful(Numbered):
    """Reads `DOUBTFUL` on every page, and is not sure of it."""

    name = "rapidocr"

    def _read(self, page: Image.Image) -> PageText | PageError:
        width, height = page.size
        return PageText([Line(DOUBTFUL, ((0.0, 0.0), (width, 0.0), (width, height), (0.0, height)), 0.7)])


def _with_confidence(found: PageText | PageError, confidence: float) -> PageText:
    assert isinstance(found, PageText)
    return replace(found, lines=[replace(line, confidence=confidence) for line in found.lines])


def _count(pages: int) -> None:
    """Append a byte for each page to the file TEST_ENGINE_READS, if it is set."""
    if path := os.environ.get("TEST_ENGINE_READS"):
        with open(path, "ab") as file:  # noqa: PTH123
            file.write(b"." * pages)


def _behave(behaviour: int) -> None:
    if behaviour == numbered.SLOW:
        time.sleep(1.0)
    elif behaviour == numbered.RAISE:
        raise RuntimeError("the page tells the engine to fail")
    elif behaviour == numbered.KILL_CHILD:
        os.kill(os.getpid(), signal.SIGKILL)
    elif behaviour == numbered.HANG_IN_C:
        re.match(r"(a|aa)+$", "a" * 100 + "b")  # backtracks endlessly inside C, and holds the GIL
    elif behaviour == numbered.MEMORY_ERROR:
        raise MemoryError
    elif behaviour == numbered.KILL_WORKER:
        os.kill(os.getppid(), signal.SIGKILL)
        os.kill(os.getpid(), signal.SIGKILL)
    elif behaviour == numbered.GROW:
        hoard = []
        while True:
            hoard.append(bytearray(16 * 2**20))
            time.sleep(0.01)
    elif behaviour == numbered.SLEEP_FOREVER:
        while True:
            time.sleep(60)
