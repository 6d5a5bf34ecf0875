"""Replaces the slow BLAS of MLX for the CPU on Linux by an optimised one.

The wheel `mlx-cpu` links the reference BLAS: the product of two 1024 x 1024 matrices takes 0.3 s or more, with OpenBLAS
0.02 s. If OpenBLAS is loaded before MLX, with global symbols, MLX calls OpenBLAS.
"""

import ctypes
import os
import sys
from collections.abc import Iterable, Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

_FOLDERS = ("/usr/lib", "/usr/lib64", "/lib", "/lib64")  # only the system's own folders: no library of a user is loaded
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
    """The system's OpenBLAS; None if it has none."""
    return next(_candidates([Path(folder) for folder in folders]), None)


def _candidates(folders: list[Path]) -> Iterator[Path]:
    inside = tuple(folder.resolve() for folder in folders if folder.is_dir())
    for pattern in _PATTERNS:
        for folder in folders:
            for path in sorted(folder.glob(pattern)):
                if any(path.resolve().is_relative_to(i) for i in inside):
                    yield path


def is_wanted() -> bool:
    """Whether MLX is installed as the wheel that needs another BLAS."""
    if not sys.platform.startswith("linux"):
        return False
    try:
        version("mlx-cpu")
    except PackageNotFoundError:
        return False
    return True


def preload_blas() -> Path | None:
    """Load the system's OpenBLAS into this process, before MLX. Returns its file; None if none was loaded."""
    if not is_wanted() or "mlx.core" in sys.modules or (path := find_blas()) is None:
        return None
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # children share the cores, so more threads gain nothing
    try:
        ctypes.CDLL(str(path), mode=ctypes.RTLD_GLOBAL)
    except OSError:  # for another architecture, or one of its own libraries is missing
        return None
    return path
