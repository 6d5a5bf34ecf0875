"""The engine `rapidocr`: PP-OCRv6 small on ONNX Runtime, with the weights of RapidOCR's own wheel and its own settings.

Its settings are changed in two things: one thread, since each worker child is meant to use one core, and a quiet log.
"""

import hashlib
import math
import os
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ocrqueue.engines import Model
from ocrqueue.errors import EngineFreed, ModelUnavailable, OcrError, PageError
from ocrqueue.memory import trim
from ocrqueue.options import Options
from ocrqueue.pages import Line, PageText

if TYPE_CHECKING:
    from PIL.Image import Image

_PARTS = ("Det", "Cls", "Rec")
_MAX_WIDE = 62  # widths of a height; RapidOCR scales to 2,000 x 32 pixels at the least, and fails beyond
_MAX_TALL = 8  # heights of a width; its detector scales the short side up to 736 pixels, whatever the long one becomes
_SAMPLE = "ready 123"
# Read by libraries when they are imported. ONNX Runtime (1.29 and later) reports to its maker unless told not to.
_ENVIRONMENT = (
    "ORT_DISABLE_TELEMETRY",
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)


class RapidOcr:
    """Reads printed text line by line. Everything heavy is imported by `load`."""

    name = "rapidocr"
    batch = 1
    dpi = 200

    def __init__(self) -> None:
        self._reader: Any = None

    def default_model(self) -> Model:
        """The weights in RapidOCR's wheel; their revision is the wheel's version. Raises ModelUnavailable."""
        try:
            return Model("pp-ocrv6-small", version("rapidocr"))
        except PackageNotFoundError:
            raise _not_installed("rapidocr is not installed") from None

    def load(self, model: Model) -> None:
        """Load detector, classifier and recogniser, and read a drawn sample. Raises ModelUnavailable."""
        if model.name != self.default_model().name:
            raise ModelUnavailable(f"rapidocr has no model {model.name!r}: leave the model out, or name another engine")
        self.free_resources()
        for variable in _ENVIRONMENT:
            os.environ.setdefault(variable, "1")
        try:
            self._reader = _reader()
            heard = " ".join(line.text for line in self._read(_sample()).lines)
        except ModelUnavailable:
            raise
        except ImportError as error:
            raise _not_installed(str(error)) from error
        except Exception as error:
            self.free_resources()
            raise _broken(f"loading failed: {_reason(error)}") from error
        if "123" not in heard:
            self.free_resources()
            raise _broken(f"it reads {heard!r} where a sample says {_SAMPLE!r}")

    def read(self, pages: "Sequence[Image]", options: Options) -> list[PageText | PageError]:
        """Read upright RGB page images; one result for each, in order. Raises EngineFreed after `free_resources`."""
        if self._reader is None:
            raise EngineFreed("rapidocr has no model loaded: call load() before read()")
        if options.lang and (known := _unknown_language(options.lang)):
            message = f"rapidocr does not read {options.lang!r}: leave the language out, or use one of {known}"
            return [PageError("language_missing", message)] * len(pages)
        try:
            return [self._try(page) for page in pages]
        finally:
            trim()  # without it a child grows by half a page's working memory every few pages

    def free_resources(self) -> None:
        """Drop the three models; `load` brings them back."""
        self._reader = None
        trim()

    def _try(self, page: "Image") -> PageText | PageError:
        try:
            return self._read(page)
        except OcrError as error:
            return PageError(error.code, error.message)
        except MemoryError:
            message = f"not enough memory for a page of {page.width} x {page.height} pixels: use a lower --dpi"
        except Exception as error:  # noqa: BLE001 -- whatever the engine raises belongs to this page
            message = f"{type(error).__name__}: {_reason(error)}"
        return PageError("engine_error", message)

    def _read(self, page: "Image") -> PageText:
        import numpy as np

        width, height = page.size
        if not width or not height:
            return PageText([])
        pixels = np.ascontiguousarray(np.asarray(page.convert("RGB"))[:, :, ::-1])  # RapidOCR wants BGR
        right, below = max(0, math.ceil(height / _MAX_TALL) - width), max(0, math.ceil(width / _MAX_WIDE) - height)
        if right or below:
            pixels = np.pad(pixels, ((0, below), (0, right), (0, 0)), constant_values=255)
        found = self._reader(pixels)
        texts = getattr(found, "txts", None)  # a page without text gives an output without them
        if texts is None or found.boxes is None:
            return PageText([])
        return PageText(
            [
                Line(text, _corners(box, width, height), float(score))
                for text, box, score in zip(texts, found.boxes, found.scores, strict=True)
            ]
        )


def _reader() -> Any:
    """RapidOCR on the files of its wheel alone: given a path, it neither checks for downloads nor starts one."""
    import cv2
    from rapidocr import RapidOCR

    cv2.setNumThreads(1)
    params: dict[str, Any] = {
        "Global.log_level": "error",
        "EngineConfig.onnxruntime.intra_op_num_threads": 1,
        "EngineConfig.onnxruntime.inter_op_num_threads": 1,
    }
    return RapidOCR(params=params | {f"{part}.model_path": str(path) for part, path in _weights().items()})


def _weights() -> dict[str, Path]:
    """The files in the wheel that RapidOCR's settings mean, checked against the hashes that the wheel names."""
    import rapidocr
    from rapidocr.inference_engine.base import FileInfo, InferSession
    from rapidocr.utils.parse_parameters import ParseParams

    package = Path(rapidocr.__file__).parent
    settings = ParseParams.load(package / "config.yaml")
    files: dict[str, Path] = {}
    for part in _PARTS:
        wanted = settings[part]
        known = InferSession.get_model_url(
            FileInfo(wanted.engine_type, wanted.ocr_version, wanted.task_type, wanted.lang_type, wanted.model_type)
        )
        files[part] = package / "models" / known["model_dir"].rpartition("/")[2]
        _check(files[part], known["SHA256"])
    return files


def _check(file: Path, sha256: str) -> None:
    try:
        with file.open("rb") as stream:
            found = hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise ModelUnavailable(
            f"rapidocr lacks its file {file.name}: pip install --force-reinstall rapidocr", "model_missing"
        ) from error
    if found != sha256:
        raise _broken(f"its file {file.name} is damaged")


def _unknown_language(lang: str) -> str:
    """Nothing where the recogniser knows a language such as "de" or "en-GB"; else the languages that it knows."""
    from rapidocr.utils.model_resolver import list_supported_langs, route_to_model_key
    from rapidocr.utils.typings import ModelType, OCRVersion, TaskType

    kind = (TaskType.REC, OCRVersion.PPOCRV6)
    for name in (lang, lang.replace("_", "-").partition("-")[0]):
        try:
            route_to_model_key(*kind, name, ModelType.SMALL)
        except ValueError:
            continue
        return ""
    return ", ".join(list_supported_langs(*kind, ModelType.SMALL))


def _corners(box: Any, width: int, height: int) -> Any:
    """RapidOCR's four corners, clockwise from top left, as plain numbers within the page image."""
    return tuple((min(float(x), width), min(float(y), height)) for x, y in box)


def _sample() -> "Image":
    """A small page to warm up on, nearly square: a wide one would cost the detector more memory than a whole page."""
    from PIL import Image, ImageDraw, ImageFont

    page = Image.new("RGB", (256, 192), "white")
    ImageDraw.Draw(page).text((40, 75), _SAMPLE, fill="black", font=ImageFont.load_default(32))
    return page


def _reason(error: Exception) -> str:
    """The end of an error's text: ONNX Runtime's carry a traceback before it."""
    lines = str(error).strip().splitlines()
    return lines[-1][:300] if lines else type(error).__name__


def _not_installed(reason: str) -> ModelUnavailable:
    advice = 'pip install "ocrqueue[worker]"'
    if "libGL" in reason or "libgthread" in reason or "cv2" in reason:
        advice = "pip uninstall opencv-python, then pip install --force-reinstall opencv-python-headless"
    return ModelUnavailable(f"rapidocr cannot be imported ({reason}): {advice}", "model_missing")


def _broken(reason: str) -> ModelUnavailable:
    return ModelUnavailable(f"rapidocr: {reason}: pip install --force-reinstall rapidocr onnxruntime", "model_broken")
