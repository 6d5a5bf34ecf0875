"""The memory of this process: how much is in use, and giving back what is not. For workers alone: it needs psutil."""

import ctypes
import gc
import sys

import psutil


def memory_now() -> dict[str, int | None]:
    """Bytes in use: `rss` of the process; `active`, `cache` and `peak` of an engine with an allocator of its own."""
    rss = int(psutil.Process().memory_info().rss)
    mlx = sys.modules.get("mlx.core")
    if mlx is None:
        return {"rss": rss, "active": None, "cache": None, "peak": None}
    return {
        "rss": rss,
        "active": int(mlx.get_active_memory()),
        "cache": int(mlx.get_cache_memory()),
        "peak": int(mlx.get_peak_memory()),
    }


def footprint(pid: int) -> int:
    """Bytes that another process of ours uses; on macOS its `phys_footprint`, which counts compressed memory too.

    Raises psutil.Error where there is no such process. Layout of `rusage_info_v0`: Apple's <sys/resource.h>.
    """
    if sys.platform == "darwin":
        info = (ctypes.c_uint64 * 12)()  # a UUID of 16 bytes, then numbers
        if ctypes.CDLL(None).proc_pid_rusage(pid, 0, ctypes.byref(info)) == 0:
            return int(info[9])
    return int(psutil.Process(pid).memory_info().rss)


def trim() -> None:
    """Collect garbage, and return freed memory to the system: glibc keeps most of it, in pieces, until told."""
    gc.collect()
    _return_freed()


def _return_freed() -> None:
    malloc_trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc's alone
    if malloc_trim is not None:
        malloc_trim(0)


def settle() -> None:
    """What is in memory now stays: collections need not look at it again (a model's libraries cost 65 ms each time)."""
    gc.collect()
    gc.freeze()


def unsettle() -> None:
    """What `settle` set aside is looked at again, so that it can go."""
    gc.unfreeze()


def give_back() -> None:
    """Give back what a task leaves behind: collect garbage first, since MLX's cache frees nothing still referred to.

    MLX is never imported for this: where it is not loaded there is nothing to clear.
    """
    gc.collect()
    mlx = sys.modules.get("mlx.core")
    if mlx is not None:
        mlx.clear_cache()
    _return_freed()
