"""The memory of a worker process: how much it uses, and returning what it does not use to the system.

psutil is imported at the first use: `doctor` also looks at engines where only the client is installed.
"""

import ctypes
import gc
import sys

_ARENA_MAX = -8  # M_ARENA_MAX in glibc's <malloc.h>


def memory_now() -> dict[str, int | None]:
    """Bytes in use: `rss` of the process; `active`, `cache` and `peak` of MLX's allocator, None without MLX."""
    import psutil

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
    """Bytes that another process uses; on macOS its `phys_footprint`, which counts compressed memory too.

    Raises psutil.Error if there is no such process. Layout of `rusage_info_v0`: Apple's <sys/resource.h>.
    """
    import psutil

    if sys.platform == "darwin":
        info = (ctypes.c_uint64 * 12)()  # a UUID of 16 bytes, then numbers
        if ctypes.CDLL(None).proc_pid_rusage(pid, 0, ctypes.byref(info)) == 0:
            return int(info[9])
    return int(psutil.Process(pid).memory_info().rss)


def trim() -> None:
    """Collect garbage, and return freed memory to the system: glibc keeps most of it until it is asked."""
    gc.collect()
    _return_freed()


def _return_freed() -> None:
    malloc_trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # only glibc has it
    if malloc_trim is not None:
        malloc_trim(0)


def share_arena() -> None:
    """Let all threads of this process, and of processes that it forks, use one of glibc's arenas of memory.

    Decoders of HEIC, WebP and JPEG 2000 start threads for each image. By default, each thread may get another arena, of
    eight for each core; each keeps 1 to 2 MB after its thread has ended, so that a process grows for hundreds of pages.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # only glibc has it
    if mallopt is not None:
        mallopt(_ARENA_MAX, 1)


def settle() -> None:
    """Exclude all present objects from garbage collections; a model's libraries cost 65 ms in each."""
    gc.collect()
    gc.freeze()


def unsettle() -> None:
    """Undo `settle`, so that these objects can be collected."""
    gc.unfreeze()


def give_back() -> None:
    """Free the memory that a task leaves behind. Garbage first, since MLX's cache frees nothing that is referenced.

    Does not import MLX: if it is not loaded, it has no cache.
    """
    gc.collect()
    mlx = sys.modules.get("mlx.core")
    if mlx is not None:
        mlx.clear_cache()
    _return_freed()
