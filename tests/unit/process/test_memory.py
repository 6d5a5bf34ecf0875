"""The memory of a worker process."""

import ctypes
import subprocess
import sys

import pytest

# Prints how many arenas glibc has after eight threads have allocated memory at the same time.
_THREADS = """
import ctypes, tempfile, threading
import worker.app

libc, barrier = ctypes.CDLL(None), threading.Barrier(8)
libc.malloc.restype = libc.fopen.restype = ctypes.c_void_p

def allocate():
    barrier.wait()
    libc.malloc(1000)
    barrier.wait()

threads = [threading.Thread(target=allocate) for _ in range(8)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
with tempfile.NamedTemporaryFile() as file:
    stream = ctypes.c_void_p(libc.fopen(file.name.encode(), b"w"))
    libc.malloc_info(0, stream)
    libc.fclose(stream)
    print(file.read().count(b"<heap nr="))
"""


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "malloc_info"), reason="only glibc has arenas")
def test_all_threads_of_a_worker_share_one_arena() -> None:
    run = subprocess.run([sys.executable, "-c", _THREADS], capture_output=True, text=True, check=True)
    assert run.stdout.split() == ["1"]
