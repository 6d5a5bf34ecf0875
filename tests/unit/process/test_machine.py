"""How many cores and how much memory a process may use: sample files of the kernel, and real limits."""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

import pytest

from ocrqueue.process.machine import usable_cores, usable_memory

PROJECT = Path(__file__).parents[3]
LIMITS = "import worker_config as w; print(w.OCR_CHILDREN, w.OCR_MAX_CHILD_MB, w.MEMORY_MB)"
UNLIMITED = "9223372036854771712"  # what version 1 says without a limit
SECOND = "31 24 0:27 {root} {at} rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n"
FIRST = (
    "32 24 0:28 {root} {at}/cpu,cpuacct rw shared:9 - cgroup cgroup rw,cpu,cpuacct\n"
    "33 24 0:29 {root} {at}/memory rw shared:9 - cgroup cgroup rw,memory\n"
    "34 24 0:30 / {at}/unified rw - cgroup2 cgroup2 rw\n"
)
MIB = 2**20


def machine(tmp_path: Path, group: str, mounts: str, root: str, files: Mapping[str, str]) -> Path:
    """The /proc folder of a process in a group, and the files of the groups that are mounted; values by path."""
    at = tmp_path / "cgroup"
    for name, value in files.items():
        (at / name).parent.mkdir(parents=True, exist_ok=True)
        (at / name).write_text(f"{value}\n")
    proc = tmp_path / "proc"
    proc.mkdir()
    (proc / "cgroup").write_text(group)
    (proc / "mountinfo").write_text("30 24 0:26 / / rw - ext4 /dev/vda rw\n" + mounts.format(root=root, at=at))
    return proc


V1 = "4:memory:{0}\n2:cpu,cpuacct:{0}\n1:name=systemd:{0}\n0::{0}\n"
CASES = {
    "a container": ("0::/\n", SECOND, "/", {"cpu.max": "200000 100000", "memory.max": "512000000"}, 2, 512_000_000),
    "half a core": ("0::/\n", SECOND, "/", {"cpu.max": "50000 100000", "memory.max": "max"}, 1, None),
    "one and a half": ("0::/\n", SECOND, "/", {"cpu.max": "150000 100000"}, 2, None),
    "no limit": ("0::/\n", SECOND, "/", {"cpu.max": "max 100000", "memory.max": "max"}, 64, None),
    "the lowest of the groups above": (
        "0::/a.slice/b.service\n", SECOND, "/",
        {"a.slice/cpu.max": "300000 100000", "a.slice/b.service/cpu.max": "max 100000", "cpu.max": "900000 100000",
         "a.slice/memory.max": str(700 * MIB), "a.slice/b.service/memory.max": str(900 * MIB)},
        3, 700 * MIB,
    ),
    "version 1 in a container": (
        V1.format("/docker/abc"), FIRST, "/docker/abc",
        {"cpu,cpuacct/cpu.cfs_quota_us": "400000", "cpu,cpuacct/cpu.cfs_period_us": "100000",
         "memory/memory.limit_in_bytes": str(300 * MIB)},
        4, 300 * MIB,
    ),
    "version 1 without limits": (
        V1.format("/"), FIRST, "/",
        {"cpu,cpuacct/cpu.cfs_quota_us": "-1", "cpu,cpuacct/cpu.cfs_period_us": "100000",
         "memory/memory.limit_in_bytes": UNLIMITED},
        64, None,
    ),
    "a group whose path is outside": (
        "0::/kubepods/pod1/c1\n", SECOND, "/kubepods/pod1/other", {"cpu.max": "100000 100000"}, 1, None
    ),
    "files that make no sense": (
        "nonsense\n0::/\n", "x\n" + SECOND, "/", {"cpu.max": "1 0", "memory.max": ""}, 64, None
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_limits_of_control_groups(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    group, mounts, root, files, cores, memory = CASES[name]
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(64)), raising=False)
    proc = machine(tmp_path, group, mounts, root, files)
    assert usable_cores(proc) == cores
    whole = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    assert usable_memory(proc) == (whole if memory is None else memory)


def test_a_system_without_control_groups(tmp_path: Path) -> None:
    assert usable_cores(tmp_path) >= 1
    assert usable_memory(tmp_path) == os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("memory", "children", "child_mb"),
    [(24_000, 2, 4096), (2048, 2, 1152), (1000, 1, 750), (2000, 8, 1024), (8192, 8, 3456)],
)
def test_one_child_that_grows_is_ended_before_the_container_is(memory: int, children: int, child_mb: int) -> None:
    program = f"import ocrqueue.process.machine as m; m.usable_memory = lambda: {memory << 20}\n{LIMITS}"
    done = subprocess.run(
        [sys.executable, "-c", program], env={**os.environ, "OCR_CHILDREN": str(children)},
        cwd=PROJECT, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.stdout.split() == [str(children), str(child_mb), str(memory)], done.stderr


def defaults(*, cpu: int | None = None, groups: tuple[Path, ...] = ()) -> tuple[int, int, int]:
    """The default children, child memory and memory (MB) of a worker on one core, or in these control groups."""

    def enter() -> None:
        if cpu is not None:
            os.sched_setaffinity(0, {cpu})
        for group in groups:
            (group / "cgroup.procs").write_text("0")  # the process that writes

    done = subprocess.run(
        [sys.executable, "-c", LIMITS], cwd=PROJECT, capture_output=True, text=True, timeout=60, preexec_fn=enter
    )
    assert done.returncode == 0, done.stderr
    children, child_mb, memory = map(int, done.stdout.split())
    return children, child_mb, memory


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system has no CPU affinity")
def test_a_worker_on_one_core_has_one_child() -> None:
    assert defaults(cpu=min(os.sched_getaffinity(0)))[0] == 1


@pytest.fixture
def limited() -> Iterator[tuple[Path, ...]]:
    """Real control groups with half a core and 1,000 MiB, of whichever version this machine lets us make."""
    top = Path("/sys/fs/cgroup")
    second = {"cpu.max": "50000 100000", "memory.max": str(1000 * MIB)}
    first = {"cpu": {"cpu.cfs_quota_us": "50000"}, "memory": {"memory.limit_in_bytes": str(1000 * MIB)}}
    wanted = {top: second} if (top / "cgroup.controllers").exists() else {top / name: v for name, v in first.items()}
    made = [folder / f"ocr-queue-test-{os.getpid()}" for folder in wanted]
    try:
        for group, files in zip(made, wanted.values(), strict=True):
            group.mkdir()
            for name, value in files.items():
                (group / name).write_text(value)
        yield tuple(made)
    except OSError as e:
        pytest.skip(f"this machine lets us make no control group: {e}")
    finally:
        for group in made:
            with suppress(OSError):
                group.rmdir()


def test_a_worker_in_a_real_control_group_keeps_within_it(limited: tuple[Path, ...]) -> None:
    assert defaults(groups=limited) == (1, 750, 1000)
