"""The engines: code that reads page images. Adding one is a file in this folder and a line in `ENGINES`."""

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

ENGINES = {
    "rapidocr": "ocrqueue.engines.rapidocr.engine:RapidOcr",
    "mlx-vlm": "ocrqueue.engines.mlx.engine:MlxVlm",
}


@dataclass(frozen=True, slots=True)
class Model:
    """The weights that an engine loads."""

    name: str
    revision: str
    path: Path | None = None  # None: the weights come with the engine's package


class Engine(Protocol):
    """Reads page images. One lives in each worker child; nothing of it is ever in the worker's parent process."""

    name: str
    batch: int  # pages it reads best at once
    dpi: int  # resolution at which it reads best

    def default_model(self) -> Model:
        """The model it uses where no other is named. Cheap: loads nothing."""
        ...

    def fingerprint(self) -> str:
        """Versions and settings that change what it reads, besides the model: pages are cached under it. Cheap.

        Loads nothing, and is the same before and after `load`. An engine without this method is served, but its pages
        are not cached.
        """
        ...

    def load(self, model: Model) -> None:
        """Load the weights, once per child. Raises ModelUnavailable with what to do."""
        ...

    def read(self, pages: "Sequence[Image]", options: Options) -> list[PageText | PageError]:
        """Read upright RGB page images; one result for each, in order. Raises EngineFreed after `free_resources`."""
        ...

    def free_resources(self) -> None:
        """Give everything back: memory, file handles, mappings."""
        ...


@cache
def installed(distribution: str) -> str:
    """The version of an installed package, without importing it; empty where it is not there."""
    try:
        return version(distribution)
    except PackageNotFoundError:
        return ""


def engine_class(path: str) -> type[Engine]:
    """The class at `module:Class`."""
    module, _, name = path.partition(":")
    found: type[Engine] = getattr(import_module(module), name)
    return found
