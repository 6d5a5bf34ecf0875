"""The engine `rapidocr`: PP-OCRv6 small with the weights in RapidOCR's wheel.

It uses one thread, because each worker child has one core. The module `lines` reads pages, and `networks` runs the
networks.
"""

import logging
import os
import platform
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

from ocrqueue.engines import Model, installed
from ocrqueue.engines.rapidocr.weights import (
    LANGUAGES,
    Precision,
    broken,
    computes_in_bfloat16,
    precision,
    unread,
    weights,
)
from ocrqueue.errors import EngineFreed, ModelUnavailable, OcrError, PageError
from ocrqueue.languages import shown
from ocrqueue.options import Options
from ocrqueue.pages import PageText
from ocrqueue.process.memory import trim

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL.Image import Image

    from ocrqueue.engines.rapidocr.lines import PageReader

log = logging.getLogger(__name__)
_STRIP = 32  # rows of a page that are copied at once: they fit into the processor's cache
_SAMPLE = "ready 123"  # the text of the page that is read after loading
# Packages whose versions decide the text.
_PACKAGES = ("rapidocr", "openvino", "onnxruntime", "numpy", "opencv-python-headless", "pyclipper")
# Set to 1 before libraries that read them are imported. ONNX Runtime (from 1.29) sends usage data by default.
ENVIRONMENT = (
    "ORT_DISABLE_TELEMETRY",
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)


class RapidOcr:
    """Reads printed text line by line. `load` imports the large libraries."""

    name = "rapidocr"
    batch = 1
    dpi = 200

    def __init__(self, numbers: Precision | None = None) -> None:
        """`numbers` is the precision; None: the fastest one on this processor."""
        self._precision: Precision = numbers or precision()
        self._reader: PageReader | None = None

    def default_model(self) -> Model:
        """The weights in RapidOCR's wheel; their revision is its version. Raises ModelUnavailable if it is missing."""
        try:
            return Model("pp-ocrv6-small", version("rapidocr"))
        except PackageNotFoundError:
            raise _not_installed("rapidocr is not installed") from None

    def fingerprint(self) -> str:
        """Everything besides the model that decides a page's text: versions of packages, machine type and precision.

        Imports and loads nothing.
        """
        return repr(
            [platform.machine(), computes_in_bfloat16(), self._precision, *(installed(name) for name in _PACKAGES)]
        )

    def languages(self) -> list[str]:
        """The names of the languages that the recogniser reads."""
        return sorted(LANGUAGES)

    def load(self, model: Model) -> None:
        """Load detector and recogniser, and read a sample page with them.

        Raises ModelUnavailable if the model is unknown, packages or weights are missing or damaged, or the sample is
        read wrong.
        """
        if model.name != self.default_model().name:
            raise ModelUnavailable(f"rapidocr has no model {model.name!r}: leave the model out, or name another engine")
        self.free_resources()
        for variable in ENVIRONMENT:
            os.environ.setdefault(variable, "1")
        try:
            self._start()
            found = " ".join(line.text for line in self._read(_sample()).lines)
        except ModelUnavailable:
            raise
        except ImportError as error:
            raise _not_installed(str(error)) from error
        except Exception as error:
            self.free_resources()
            raise broken(f"loading failed: {_reason(error)}") from error
        if "123" not in found:
            self.free_resources()
            raise broken(f"it reads {found!r} instead of {_SAMPLE!r} on a sample page")

    def read(self, pages: "Sequence[Image]", options: Options) -> list[PageText | PageError]:
        """Read upright RGB page images; one result for each, in order. Raises EngineFreed after `free_resources`."""
        if self._reader is None:
            raise _freed()
        if options.lang and (wrong := unread(options.lang)):
            message = f"rapidocr does not read {', '.join(wrong)}: leave the language out, or use {shown(LANGUAGES)}"
            return [PageError("language_missing", message)] * len(pages)
        try:
            return [self._try(page) for page in pages]
        finally:
            trim()  # otherwise a child grows by half a page's working memory every few pages

    def free_resources(self) -> None:
        """Free both networks; `load` loads them again."""
        self._reader = None
        trim()

    def _try(self, page: "Image") -> PageText | PageError:
        try:
            return self._read(page)
        except OcrError as error:
            return PageError(error.code, error.message)
        except MemoryError:
            message = f"not enough memory for a page of {page.width} x {page.height} pixels: use a lower --dpi"
        except Exception as error:  # noqa: BLE001 -- an error of the engine fails this page only
            message = f"{type(error).__name__}: {_reason(error)}"
        return PageError("engine_error", message)

    def _start(self) -> None:
        from ocrqueue.engines.rapidocr.lines import PageReader, ReaderSettings
        from ocrqueue.engines.rapidocr.networks import backend, version_of

        kind, settings = backend(), ReaderSettings()
        self._reader = PageReader(weights(), kind, settings, self._precision)
        log.info("rapidocr reads with %s in %s, %s", version_of(kind), self._reader.precision, settings)

    def _read(self, page: "Image") -> PageText:
        if self._reader is None:
            raise _freed()
        if not page.width or not page.height:
            return PageText([])
        return self._reader.page(_pixels(page if page.mode == "RGB" else page.convert("RGB")))


def _pixels(page: "Image") -> "NDArray[np.uint8]":
    """The pixels of an RGB image: height x width x 3, blue first.

    Strips are copied one after another. Of a whole page, Pillow makes two copies, each in fresh memory. It has four
    bytes for each pixel in its own memory, and copies these fastest.
    """
    import cv2
    import numpy as np

    pixels = np.empty((page.height, page.width, 3), np.uint8)
    for top in range(0, page.height, _STRIP):
        strip = page.crop((0, top, page.width, min(page.height, top + _STRIP)))
        rgbx = np.frombuffer(strip.tobytes("raw", "RGBX"), np.uint8).reshape(-1, page.width, 4)
        cv2.cvtColor(rgbx, cv2.COLOR_RGBA2BGR, dst=pixels[top : top + _STRIP])
    return pixels


def _sample() -> "Image":
    """A small page with the sample text, nearly square: a wide one needs more of the detector's memory than a page."""
    from PIL import Image, ImageDraw, ImageFont

    page = Image.new("RGB", (256, 192), "white")
    ImageDraw.Draw(page).text((40, 75), _SAMPLE, fill="black", font=ImageFont.load_default(32))
    return page


def _reason(error: Exception) -> str:
    """The last line of an error's text, shortened; errors of ONNX Runtime have a traceback above it."""
    lines = str(error).strip().splitlines()
    return lines[-1][:300] if lines else type(error).__name__


def _freed() -> EngineFreed:
    return EngineFreed("rapidocr has no model loaded: call load() before read()")


def _not_installed(reason: str) -> ModelUnavailable:
    advice = 'pip install "ocrqueue[worker]"'
    if "libGL" in reason or "libgthread" in reason or "cv2" in reason:
        advice = "pip uninstall opencv-python, then pip install --force-reinstall opencv-python-headless"
    return ModelUnavailable(f"rapidocr cannot be imported ({reason}): {advice}", "model_missing")
