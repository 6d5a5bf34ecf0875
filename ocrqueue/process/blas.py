"""An optimised BLAS in place of the slow one that MLX brings along for the CPU on Linux.

The wheel `mlx-cpu` links the reference BLAS: a product of two 1024 x 1024 matrices takes 0.3 s and more, with OpenBLAS
0.02 s. A library that is loaded before MLX, with its symbols open to all, is what MLX then calls.
"""

import ctypes
import os
import sys
from collections.abc import Iterable, Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

_FOLDERS = ("/usr/lib", "/usr/lib64", "/lib", "/lib64")  # the system's own; nothing else is ever loaded
_PATTERNS = (
    "*-linux-gnu*/openblas*/libblas.so.3",  # Debian and Ubuntu
    "*-linux-gnu*/libopenblas.so.0",
    "libopenblas.so.0",  # Fedora, SUSE
    "libopenblas*.so.0",
    "libopenblas.so.3",  # Alpine
    "libopenblas.so",  # Arch
)
ADVICE = "install OpenBLAS (Debian and Ubuntu: `apt install libopenblas0`, Fedora: `dnf install openblas`)"


def find_blas(folders: Iterable[str] = _FOLDERS) -> Path | None:
    """The system's OpenBLAS; None where it has none."""
    return next(_candidates([Path(folder) for folder in folders]), None)


def _candidates(folders: list[Path]) -> Iterator[Path]:
    inside = tuple(folder.resolve() for folder in folders if folder.is_dir())
    for pattern in _PATTERNS:
        for folder in folders:
            for path in sorted(folder.glob(pattern)):
                if any(path.resolve().is_relative_to(i) for i in inside):
                    yield path


def is_wanted() -> bool:
    """Whether MLX is here in the form that needs another BLAS."""
    if not sys.platform.startswith("linux"):
        return False
    try:
        version("mlx-cpu")
    except PackageNotFoundError:
        return False
    return True


def preload_blas() -> Path | None:
    """Load the system's OpenBLAS into this process, before MLX is; the file, or None where nothing was done."""
    if not is_wanted() or "mlx.core" in sys.modules or (path := find_blas()) is None:
        return None
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # more threads a child bring nothing, and children share cores
    try:
        ctypes.CDLL(str(path), mode=ctypes.RTLD_GLOBAL)
    except OSError:  # of another architecture, or without its own libraries
        return None
    return path
