"""Faults for a stack: signals, and a relay that cuts connections. Supervision like that of `make up`."""

import os
import select
import signal
import socket
import ssl
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from tests.support.harness import Stack, eventually, running

# Result of a relay's rule. "request": cut before the request is forwarded; "reply": before its reply; None: do not cut.
Verdict = str | None


class Supervised(Stack):
    """A stack that restarts processes that end."""

    def __init__(self, folder: Path, **env: str) -> None:
        super().__init__(folder, **env)
        self.restarts: Counter[str] = Counter()
        self._commands: dict[str, tuple[list[str], dict[str, str]]] = {}
        self._watching = threading.Event()
        self._watcher: threading.Thread | None = None
        self._lock = threading.Lock()
        self._relays: list[Relay] = []
        self.env["TEST_TRAPS"] = str(folder)

    def _celery(self, *args: str) -> list[str]:
        return ["tests.support.saboteur" if part == "tasks.app" else part for part in super()._celery(*args)]

    def trap(self, point: str) -> Path:
        """Kill the next process at this point of `tests.support.saboteur`. Returns a file, which is removed then."""
        trap = self.folder / point
        trap.touch()
        return trap

    def spawn(self, name: str, command: Iterable[str], **env: str) -> "subprocess.Popen[bytes]":
        """Start a process, and remember its command."""
        self._commands[name] = list(command), env
        return super().spawn(name, self._commands[name][0], **env)

    def supervise(self) -> None:
        """From now on, restart each process that ends."""
        self._watching.set()
        self._watcher = threading.Thread(target=self._watch, daemon=True)
        self._watcher.start()

    def _watch(self) -> None:
        while self._watching.is_set():
            with self._lock:
                for name, process in list(self.processes.items()):
                    if process.poll() is not None:
                        self.restarts[name] += 1
                        command, env = self._commands[name]
                        self.spawn(name, command, **env)
            time.sleep(0.2)

    def unwatched(self, name: str) -> "subprocess.Popen[bytes]":
        """Stop supervising a process. Returns it."""
        with self._lock:
            return self.processes.pop(name)

    def strike(self, name: str, number: int = signal.SIGKILL) -> int:
        """Send a signal to a process and do not wait. Returns its process id."""
        pid = self.processes[name].pid
        with suppress(ProcessLookupError):
            os.kill(pid, number)
        return pid

    def relay(self, rule: Callable[[bytes], Verdict] = lambda _: None, tls: ssl.SSLContext | None = None) -> "Relay":
        """A relay to this stack's Redis; the stack closes it."""
        self._relays.append(Relay(self.socket, rule, tls))
        return self._relays[-1]

    def family(self, name: str) -> list[int]:
        """Process ids of a process and its children."""
        return [self.processes[name].pid, *self.children(name)]

    def children(self, name: str) -> list[int]:
        """Process ids of a process's children."""
        with suppress(psutil.Error):
            return [c.pid for c in psutil.Process(self.processes[name].pid).children(recursive=True)]
        return []

    def close(self) -> None:
        """Stop supervising, and kill all processes."""
        self._watching.clear()
        if self._watcher:
            self._watcher.join()
        super().close()
        for relay in self._relays:
            relay.close()


@contextmanager
def supervised(**env: str) -> Iterator[Supervised]:
    """A supervised stack whose Redis runs. Its lease is short, so that lost claims are free after seconds."""
    settings = {"OCR_LEASE_SECONDS": "4", "OCR_RECONCILE_SECONDS": "1", **env}
    with running(Supervised, **settings) as stack:
        yield stack


def send_all(pids: Iterable[int], number: int) -> None:
    """Send a signal to each of these processes that still exists."""
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, number)


class Relay:
    """Forwards connections from a TCP port to Redis, and can cut them."""

    def __init__(
        self, target: Path, rule: Callable[[bytes], Verdict] = lambda _: None, tls: ssl.SSLContext | None = None
    ) -> None:
        self.target = target
        self.rule = rule  # called with the bytes that a client sends
        self.tls = tls  # if set, only TLS connections are accepted
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = self._server.getsockname()[1]
        self._open: set[socket.socket] = set()
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    @property
    def url(self) -> str:
        """The URL for clients."""
        return f"redis://127.0.0.1:{self.port}/0"

    def cut(self, which: Callable[[int], bool] = lambda _: True) -> int:
        """Cut the open connections whose number `which` accepts. Returns how many."""
        return sum(_shut(client) for i, client in enumerate(list(self._open)) if which(i))

    def close(self) -> None:
        """Accept no more connections, and cut the open ones."""
        _shut(self._server)
        self._server.close()
        self.cut()
        for thread in self._threads:
            thread.join(10)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._server.accept()
            except OSError:
                return
            self._threads = [t for t in self._threads if t.is_alive()]
            self._threads.append(threading.Thread(target=self._serve, args=(client,), daemon=True))
            self._threads[-1].start()

    def _serve(self, raw: socket.socket) -> None:
        with raw, suppress(OSError), self._secured(raw) as client, socket.socket(socket.AF_UNIX) as server:
            server.connect(str(self.target))
            self._open.add(client)
            try:
                self._pass_on(client, server)
            finally:
                self._open.discard(client)

    def _secured(self, raw: socket.socket) -> socket.socket:
        return self.tls.wrap_socket(raw, server_side=True) if self.tls else raw

    def _pass_on(self, client: socket.socket, server: socket.socket) -> None:
        mute = False
        while True:
            for ready in select.select([client, server], [], [])[0]:
                if not (data := _received(ready)) or (mute and ready is server):
                    return
                verdict = self.rule(data) if ready is client else None
                if verdict == "request":
                    return
                mute = mute or verdict == "reply"
                (server if ready is client else client).sendall(data)


def _received(end: socket.socket) -> bytes:
    data = end.recv(1 << 16)
    while isinstance(end, ssl.SSLSocket) and end.pending():
        data += end.recv(1 << 16)
    return data


def _shut(end: socket.socket) -> bool:
    try:
        end.shutdown(socket.SHUT_RDWR)
    except OSError:
        return False
    return True


__all__ = ["Relay", "Supervised", "eventually", "send_all", "supervised"]
