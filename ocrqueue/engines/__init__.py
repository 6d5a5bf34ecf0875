"""Engines read page images. A new engine is a module in this package and an entry in `ENGINES`."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from ocrqueue.errors import PageError
from ocrqueue.options import Options
from ocrqueue.pages import PageText

if TYPE_CHECKING:
    from PIL.Image import Image

ENGINES = {  # name: module:Class
    "rapidocr": "ocrqueue.engines.rapidocr.engine:RapidOcr",
    "mlx-vlm": "ocrqueue.engines.mlx.engine:MlxVlm",
    "tesseract": "ocrqueue.engines.tesseract.engine:Tesseract",
}
ALL_PAGES, POOR_PAGES = "all", "poor"  # see `pages_of`


@dataclass(frozen=True, slots=True)
class Model:
    """The weights that an engine loads, as results and statuses name them."""

    name: str  # as options and settings name it
    revision: str  # changes whenever the weights change
    path: Path | None = None  # None: the weights come with the engine's package


class Engine(Protocol):
    """Reads page images. Each worker child has its own; the worker's parent process never loads one."""

    name: str
    batch: int  # number of pages that `read` should get at once
    dpi: int  # resolution at which it reads best; PDF pages are rendered at it

    def default_model(self) -> Model:
        """The model that is used if the job names none. Must be fast, and loads nothing."""
        ...

    def fingerprint(self) -> str:
        """The versions and settings, besides the model, that change the text; part of the key of the page cache.

        Must be fast, load nothing, and be equal before and after `load`. The pages of an engine without this method
        are not cached.
        """
        ...

    def languages(self) -> list[str]:
        """The languages that it reads, as `ocrqueue.languages` names them. Must be fast, and loads nothing.

        An engine without this method is taken to read all.
        """
        ...

    def load(self, model: Model) -> None:
        """Load the weights; called once per child. Raises ModelUnavailable with a message that says what to do."""
        ...

    def read(self, pages: "Sequence[Image]", options: Options) -> list[PageText | PageError]:
        """Read upright RGB page images. Returns one result for each page, in order.

        An error of one page is its PageError. Raises EngineFreed after `free_resources`.
        """
        ...

    def free_resources(self) -> None:
        """Free everything: memory, file handles, mappings. May be called more than once."""
        ...


@cache
def installed(distribution: str) -> str:
    """The version of a package, without importing it; empty if it is not installed."""
    try:
        return version(distribution)
    except PackageNotFoundError:
        return ""


def languages_of(engine: Engine) -> list[str] | None:
    """The languages that an engine reads; None if it does not say so."""
    say = getattr(engine, "languages", None)
    return None if say is None else say()


def pages_of(engine: Engine) -> str:
    """Which pages of jobs that name no engine may be given to an engine.

    `ALL_PAGES`, or `POOR_PAGES`: those that another engine has read poorly, and those that no other one can read.
    """
    return str(getattr(engine, "pages", ALL_PAGES))


def engine_class(path: str) -> type[Engine]:
    """The class at `module:Class`."""
    module, _, name = path.partition(":")
    found: type[Engine] = getattr(import_module(module), name)
    return found
