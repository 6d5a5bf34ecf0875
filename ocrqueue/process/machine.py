"""How much of the machine this process may use: cores and memory, within its CPU affinity and its control groups.

Containers, Kubernetes, systemd and `taskset` set these limits; the number of cores and the memory that the system
reports are those of the whole machine. Sources of the files' formats: the kernel's documentation, admin-guide/cgroup-v2
(cpu.max, memory.max), admin-guide/cgroup-v1/memory, scheduler/sched-bwc (cpu.cfs_quota_us), and proc_pid_mountinfo(5).
"""

import math
import os
import re
from collections.abc import Iterator
from pathlib import Path

_MEMORY = ("memory.max", "memory.limit_in_bytes")  # of version 2 and version 1 of control groups
# The fields of a line of mountinfo: root, mount point, kind of file system, its options.
_MOUNT = re.compile(r"\S+ \S+ \S+ (\S+) (\S+) .* - (\S+) \S+ (\S+)")


def usable_cores(proc: Path = Path("/proc/self")) -> int:
    """The cores that this process may use, at least 1: those of its affinity, within its CPU quota rounded up.

    `proc` is the folder of this process in the system's /proc.
    """
    affinity = getattr(os, "sched_getaffinity", None)  # macOS has none
    found = len(affinity(0)) if affinity else os.cpu_count() or 1
    quotas = [quota for folder in _groups(proc, "cpu") if (quota := _quota(folder))]
    return max(1, min(found, *(math.ceil(quota) for quota in quotas)) if quotas else found)


def usable_memory(proc: Path = Path("/proc/self")) -> int:
    """The bytes of memory that this process may use: the machine's, or the lowest limit of its control groups."""
    found = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    limits = (_number(folder / name) for folder in _groups(proc, "memory") for name in _MEMORY)
    return min([found, *(limit for limit in limits if limit and limit > 0)])


def _quota(folder: Path) -> float | None:
    """The cores that a control group may use at a time; None without a limit."""
    quota, _, period = _text(folder / "cpu.max").partition(" ")  # version 2: "50000 100000" or "max 100000"
    quota, period = quota or _text(folder / "cpu.cfs_quota_us"), period or _text(folder / "cpu.cfs_period_us")
    try:
        return int(quota) / int(period) if int(quota) > 0 else None  # version 1: -1 without a limit
    except (ValueError, ZeroDivisionError):
        return None


def _number(path: Path) -> int | None:
    try:
        return int(_text(path))
    except ValueError:
        return None


def _text(path: Path) -> str:
    """The content of a small file; empty if it cannot be read."""
    try:
        return path.read_text().strip()
    except (OSError, ValueError):
        return ""


def _groups(proc: Path, controller: str) -> Iterator[Path]:
    """The folders of this process's control groups that have this controller: its own and those above, as mounted."""
    for line in _text(proc / "cgroup").splitlines():
        number, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        second = number == "0" and not controllers
        if not second and controller not in controllers.split(","):
            continue
        for root, mounted in _mounts(proc, None if second else controller):
            # A container may see the path of its group outside, below which nothing is mounted here.
            inside = os.path.relpath(path, root) if Path(path).is_relative_to(root) else "."
            folder = mounted / inside
            yield folder
            yield from (above for above in folder.parents if above.is_relative_to(mounted))


def _mounts(proc: Path, controller: str | None) -> Iterator[tuple[str, Path]]:
    """(group that is mounted, where) of the hierarchies with a controller of version 1; of version 2 for None."""
    for line in _text(proc / "mountinfo").splitlines():
        if match := _MOUNT.match(line):
            root, mounted, kind, options = match.groups()
            if (kind == "cgroup" and controller in options.split(",")) or (kind == "cgroup2" and not controller):
                yield _unescaped(root), Path(_unescaped(mounted))


def _unescaped(path: str) -> str:
    return re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), path)
