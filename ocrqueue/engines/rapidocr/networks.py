"""Running one network of the engine `rapidocr` on one thread: with OpenVINO where it is installed, else ONNX Runtime.

OpenVINO takes about half the time, and half of that again where the processor computes in bfloat16 (the lines came out
as well read as in 32 bits; bench/README.md has the figures). ONNX Runtime always computes in 32 bits.
"""

import logging
import os
import sys
import weakref
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

log = logging.getLogger(__name__)
_cores: "weakref.WeakValueDictionary[str, Any]" = weakref.WeakValueDictionary()  # see `_core`
_KEPT = 256  # pieces of code, each made for one shape, that a detector keeps; OpenVINO would keep far more


class Network(Protocol):
    """A network that has been loaded."""

    characters: list[str]  # that a recogniser tells apart; empty for other networks
    precision: str  # of its numbers, such as "f32"

    def __call__(self, batch: "NDArray[np.float32]") -> "NDArray[np.float32]":
        """The output for a batch of images (n, 3, height, width). It may be overwritten by the next call."""
        ...

    def release(self) -> None:
        """Give back working memory; the last output is gone then."""
        ...


class OpenVino:
    """A network on OpenVINO."""

    def __init__(self, file: Path) -> None:
        self._core = core = _core()
        model = core.read_model(str(file))
        has_them = model.has_rt_info(["framework", "character"])
        self.characters = model.get_rt_info(["framework", "character"]).value.splitlines() if has_them else []
        settings: dict[str, Any] = {
            "INFERENCE_NUM_THREADS": 1,
            "NUM_STREAMS": 1,
            "ENABLE_CPU_PINNING": False,  # children share the cores as the system sees fit
        }
        if not self.characters:  # a page has any shape, so memory would never stop growing; a line one of some fifty
            settings["CPU_RUNTIME_CACHE_CAPACITY"] = _KEPT
        self._compiled: Any = core.compile_model(model, "CPU", settings)
        self._request: Any = self._compiled.create_infer_request()
        self.precision = self._compiled.get_property("INFERENCE_PRECISION_HINT").to_string()

    def __call__(self, batch: "NDArray[np.float32]") -> "NDArray[np.float32]":
        """The output, a view of the network's own memory."""
        self._request.infer([batch], share_inputs=True)
        output: NDArray[np.float32] = self._request.get_output_tensor().data
        return output

    def release(self) -> None:
        """Give back working memory, half of what the network holds after a large page; last input and output too."""
        self._request = self._compiled.create_infer_request()
        self._compiled.release_memory()


class OnnxRuntime:
    """A network on ONNX Runtime."""

    precision = "f32"

    def __init__(self, file: Path) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.enable_cpu_mem_arena = False  # it would keep the memory of the largest page
        options.log_severity_level = 4
        self._session: Any = onnxruntime.InferenceSession(file, options, ["CPUExecutionProvider"])
        self.characters = self._session.get_modelmeta().custom_metadata_map.get("character", "").splitlines()

    def __call__(self, batch: "NDArray[np.float32]") -> "NDArray[np.float32]":
        """The output."""
        output: NDArray[np.float32] = self._session.run(None, {self._session.get_inputs()[0].name: batch})[0]
        return output

    def release(self) -> None:
        """Nothing to do: without an arena its memory goes back by itself."""


Backend = type[OpenVino] | type[OnnxRuntime]


def backend() -> Backend:
    """What networks run on here; says so in the log where it is not the fast one."""
    try:
        _openvino()
    except ImportError as error:
        log.warning("rapidocr runs on ONNX Runtime, which takes longer, since OpenVINO cannot be imported: %s", error)
        return OnnxRuntime
    return OpenVino


def version_of(kind: Backend) -> str:
    """Name and version of a backend."""
    package = "openvino" if kind is OpenVino else "onnxruntime"
    return f"{package} {version(package)}"


def _core() -> Any:
    """OpenVINO itself, one for all networks in memory; it is gone with the last of them.

    Each gives the thread a stack for its signals' handlers, and puts the one before back when it goes. Of two, the one
    that goes last puts back one that is gone, and the process dies of the next signal.
    """
    core = _cores.get("core")
    if core is None:
        core = _cores["core"] = _openvino().Core()
    return core


def _openvino() -> Any:
    """OpenVINO without the module by which its converter, never used here, would report to its maker."""
    # None is how Python is told that a module is not installed.
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    # oneDNN, which OpenVINO computes with, keeps the last 1,024 pieces of code of all networks, whatever these keep.
    os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "0")
    import openvino

    return openvino
