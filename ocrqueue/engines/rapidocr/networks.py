"""Runs the networks of the engine `rapidocr` on one thread: on OpenVINO if it is installed, else on ONNX Runtime.

OpenVINO takes about half the time, and a quarter on processors with fast bfloat16 instructions, without more errors
(figures: docs/benchmarks.md). ONNX Runtime always computes with 32 bits.
"""

import logging
import os
import sys
import weakref
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol
from zipfile import ZipFile

from ocrqueue.engines.rapidocr.weights import computes_in_bfloat16

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

log = logging.getLogger(__name__)
_cores: "weakref.WeakValueDictionary[str, Any]" = weakref.WeakValueDictionary()  # see `_core`
# Compiled kernels of each kind of layer that a detector keeps. Pages have any shape, and each adds kernels of many
# kinds: in bfloat16 83 of convolutions, 115 that reorder bfloat16, and one of pooling. So a child grows until it has
# seen that many shapes. In bfloat16 those of one shape are kept: with 64, a page takes 10 ms more; with 256, 3 ms less.
# In int8 and f32, a page takes 1 ms more than with 128, and a child needs 20 to 45 MB less.
_KEPT_IN_BFLOAT16 = 128
_KEPT = 32


class Network(Protocol):
    """A network that is loaded."""

    precision: str  # number type in which it computes, such as "f32"

    def __call__(self, batch: "NDArray[np.float32]") -> "NDArray[np.float32]":
        """The output for a batch of images of shape (n, 3, height, width). The next call may overwrite it."""
        ...

    def release(self) -> None:
        """Free working memory; the last output becomes invalid."""
        ...


class OpenVino:
    """A network on OpenVINO."""

    def __init__(self, model: Any, kernels: int | None = None, *, rounds: bool = True) -> None:
        """`model` is a file, or a model of OpenVINO; `kernels` is the number of compiled kernels that it keeps.

        `rounds` allows it to round to bfloat16, as OpenVINO does by default on processors with instructions for it.

        Each kernel is for one input shape. OpenVINO's default (None) is far more than pages of any size should keep.
        """
        self._core = core = _core()
        if isinstance(model, Path):
            model = model_in(model)
        settings: dict[str, Any] = {
            "INFERENCE_NUM_THREADS": 1,
            "NUM_STREAMS": 1,
            "ENABLE_CPU_PINNING": False,  # the system distributes the children over the cores
        }
        if not rounds:
            settings["INFERENCE_PRECISION_HINT"] = "f32"
        if kernels is not None:
            settings["CPU_RUNTIME_CACHE_CAPACITY"] = kernels
        self._compiled: Any = core.compile_model(model, "CPU", settings)
        self._request: Any = self._compiled.create_infer_request()
        self.precision = self._compiled.get_property("INFERENCE_PRECISION_HINT").to_string()

    def __call__(self, batch: "NDArray[np.float32]") -> "NDArray[np.float32]":
        """The output, a view of the network's own memory. See `Network`."""
        self._request.infer([batch], share_inputs=True)
        output: NDArray[np.float32] = self._request.get_output_tensor().data
        return output

    def release(self) -> None:
        """Free working memory, half of the network's memory after a large page, with its last input and output."""
        self._request = self._compiled.create_infer_request()
        self._compiled.release_memory()


class OnnxRuntime:
    """A network on ONNX Runtime."""

    precision = "f32"

    def __init__(self, file: Path) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.enable_cpu_mem_arena = False  # an arena keeps the memory that the largest page needed
        options.log_severity_level = 4
        self._session: Any = onnxruntime.InferenceSession(file, options, ["CPUExecutionProvider"])
        self.characters = self._session.get_modelmeta().custom_metadata_map.get("character", "").splitlines()

    def __call__(self, batch: "NDArray[np.float32]") -> "NDArray[np.float32]":
        """The output. See `Network`."""
        output: NDArray[np.float32] = self._session.run(None, {self._session.get_inputs()[0].name: batch})[0]
        return output

    def release(self) -> None:
        """Do nothing: without an arena, working memory is freed after each call."""


Backend = type[OpenVino] | type[OnnxRuntime]


def backend() -> Backend:
    """The class that runs networks on this machine. Logs a warning if it is not OpenVINO, the faster one."""
    try:
        _openvino()
    except ImportError as error:
        log.warning("rapidocr runs on ONNX Runtime, which is slower, because OpenVINO cannot be imported: %s", error)
        return OnnxRuntime
    return OpenVino


def detector(file: Path, kind: Backend, *, rounds: bool = True) -> Network:
    """The detector in this file. `rounds`: see `OpenVino`."""
    if kind is OnnxRuntime:
        return OnnxRuntime(file)
    return OpenVino(file, _KEPT_IN_BFLOAT16 if rounds and computes_in_bfloat16() else _KEPT, rounds=rounds)


def model_in(file: Path) -> Any:
    """The model of OpenVINO in a file, or in a zip archive of two: `.xml` is the network, `.bin` has its weights."""
    if file.suffix != ".zip":
        return _core().read_model(str(file))
    with ZipFile(file) as archive:
        network, weights = (archive.read(f"{file.stem}{suffix}") for suffix in (".xml", ".bin"))
    return _core().read_model(network, weights)


def version_of(kind: Backend) -> str:
    """Name and version of a backend."""
    package = "openvino" if kind is OpenVino else "onnxruntime"
    return f"{package} {version(package)}"


def _core() -> Any:
    """The OpenVINO Core that all networks share; it is destroyed with the last of them.

    Each Core installs a signal stack and restores the previous one when it is destroyed. With two Cores, the last one
    restores freed memory, and the next signal crashes the process.
    """
    core = _cores.get("core")
    if core is None:
        core = _cores["core"] = _openvino().Core()
    return core


def _openvino() -> Any:
    """Import OpenVINO without its model converter, which is not used here, takes 30 ms, and sends usage data."""
    # With None in sys.modules, importing the module raises ImportError, with which OpenVINO reckons.
    sys.modules.setdefault("openvino.tools.ovc", None)  # type: ignore[arg-type]
    # oneDNN, with which OpenVINO computes, has its own cache of 1,024 kernels for all networks: it is turned off.
    os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "0")
    import openvino

    return openvino
