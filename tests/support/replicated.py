"""Stacks whose Redis has a replica that can take its place: by hand, or by sentinels, also with TLS."""

import subprocess
from contextlib import suppress
from pathlib import Path

from redis import Redis
from redis.exceptions import ResponseError

from ocrqueue.client import Client
from ocrqueue.ledger.connection import client
from ocrqueue.redis_url import sentinels
from ocrqueue.settings import Shared
from tests.support.faults import Supervised
from tests.support.harness import eventually, free_port, server_program
from tests.support.needs import tls_server

PASSWORD = "s3 c/ret"  # of the servers
SENTINEL_PASSWORD = "s3ntinel&"
MASTER = "queue"


class Replicated(Supervised):
    """Two servers, `redis` and `second`; the second one begins as a replica of the first."""

    password: str | None = None

    def __init__(self, folder: Path, **env: str) -> None:
        super().__init__(folder, **env)
        self.ports = {"redis": free_port(), "second": free_port()}
        self.servers = {name: self.connected(port, self.password) for name, port in self.ports.items()}

    def server_path(self) -> str:
        """Path of the server."""
        return server_program()

    def connected(self, port: int, password: str | None) -> Redis:
        """A client of one server or sentinel, connected on first use."""
        return Redis(port=port, password=password, decode_responses=True)

    def listening(self, port: int) -> dict[str, str]:
        """The options of a server or sentinel that listens on this port."""
        return {"port": str(port)}

    def socket_of(self, server: str) -> Path:
        """The Unix socket of a server."""
        return self.socket if server == "redis" else self.folder / "s.sock"

    def start_redis(self) -> None:
        """Start both servers, and wait until the second one has everything that the first one has."""
        for name in self.servers:
            self.start_server(name, () if name == "redis" else ("--replicaof", "127.0.0.1", str(self.ports["redis"])))
        eventually(self.is_in_step, 20)

    def start_server(self, name: str, options: tuple[str, ...] = ()) -> None:
        """Start one of the servers."""
        folder = self.folder / f"{name}.data"
        folder.mkdir(exist_ok=True)
        secret = ("--requirepass", self.password, "--masterauth", self.password) if self.password else ()
        files = ["--unixsocket", str(self.socket_of(name)), "--dir", str(folder), "--save", "", "--appendonly", "yes"]
        listening = [part for key, value in self.listening(self.ports[name]).items() for part in (f"--{key}", value)]
        self.spawn(name, [self.server_path(), *listening, *files, *secret, *options])

        def answers() -> bool:
            try:
                return bool(self.servers[name].ping())
            except OSError:
                return False
            except Exception as e:
                return "LOADING" in str(e)

        eventually(answers, 20, 0.05)

    def is_in_step(self, server: str = "second") -> bool:
        """Whether a server is a replica that has everything."""
        about = self.servers[server].info("replication")
        return bool(about["role"] == "slave" and about["master_link_status"] == "up")

    def replica(self) -> str:
        """The server that is a replica, once it has everything."""
        return eventually(lambda: next(filter(self.is_in_step, self.servers), None), 30)


class Led(Replicated):
    """Servers behind a name that leads to the primary, as managed services have it."""

    def start_redis(self) -> None:
        """Start both servers, and what leads to the first one."""
        super().start_redis()
        self.name = self.relay()
        self.env["REDIS_URL"] = self.name.url

    def lead_to(self, server: str) -> None:
        """Let new connections lead to this server; open ones stay where they are."""
        self.name.target = self.socket_of(server)
        self.redis = self.servers[server]

    def swap(self, old: str, new: str) -> None:
        """Make `old` a replica of `new`."""
        self.lead_to(new)
        self.servers[old].wait(1, 2000)
        self.servers[new].replicaof("NO", "ONE")
        self.servers[old].replicaof("127.0.0.1", self.ports[new])

    def client(self, **changes: object) -> Client:
        """A client that uses the name."""
        return super().client(redis=self.name.url, **changes)


class Sentinelled(Replicated):
    """Servers and sentinels with passwords; three sentinels choose the primary."""

    password = PASSWORD
    scheme, more = "sentinel", ""  # of REDIS_URL, and what it has besides

    def __init__(self, folder: Path, **env: str) -> None:
        super().__init__(folder, **env)
        self.sentinels = [free_port() for _ in range(3)]
        hosts = ",".join(f"127.0.0.1:{port}" for port in self.sentinels)
        url = f"{self.scheme}://:s3%20c%2Fret@{hosts}/0?master={MASTER}&sentinel_password=s3ntinel%26{self.more}"
        self.env["REDIS_URL"] = url
        named = sentinels.parse(url)
        data = folder / "data"
        self.shared = Shared(data, named.celery_url, False, str(data / "spool"), None, 100_000, 2**29, named)

    def start_redis(self) -> None:
        """Start everything, and wait until the sentinels know each other and the replica."""
        super().start_redis()
        for number, port in enumerate(self.sentinels):
            file = self.folder / f"sentinel{number}.conf"
            listening = "".join(f"{key} {value}\n" for key, value in self.listening(port).items())
            file.write_text(
                f'{listening}dir {self.folder}\nbind 127.0.0.1\nrequirepass "{SENTINEL_PASSWORD}"\n'
                f'sentinel sentinel-pass "{SENTINEL_PASSWORD}"\n'
                f"sentinel monitor {MASTER} 127.0.0.1 {self.ports['redis']} 2\n"
                f'sentinel auth-pass {MASTER} "{PASSWORD}"\n'
                f"sentinel down-after-milliseconds {MASTER} 1500\nsentinel failover-timeout {MASTER} 5000\n"
            )
            self.spawn(f"sentinel{number}", [self.server_path(), str(file), "--sentinel"])
        eventually(self.is_watched, 30)
        self.redis = client(self.shared, socket_timeout=5)

    def is_watched(self) -> bool:
        """Whether every sentinel knows the replica and the other sentinels."""
        return all(
            about.get("num-slaves", 0) >= 1 and about.get("num-other-sentinels", 0) == 2
            for about in (self.ask(port) for port in self.sentinels)
        )

    def ask(self, port: int) -> dict[str, int]:
        """What a sentinel knows of the primary; empty if it does not answer yet."""
        with self.connected(port, SENTINEL_PASSWORD) as sentinel:
            try:
                found: dict[str, int] = sentinel.sentinel_master(MASTER)
            except Exception:
                return {}
            return found

    def failover(self, coordinated: bool = False) -> None:
        """Ask the sentinels to demote the primary while it runs; `coordinated`: its replica is in step first."""
        how = ["COORDINATED"] if coordinated else []
        with self.connected(self.sentinels[0], SENTINEL_PASSWORD) as sentinel, suppress(ResponseError):
            sentinel.execute_command("SENTINEL", "FAILOVER", MASTER, *how)

    @property
    def primary(self) -> str:
        """The server that the first sentinel takes for the primary."""
        port = self.ask(self.sentinels[0]).get("port")
        return next(name for name, number in self.ports.items() if number == port)

    def client(self, **changes: object) -> Client:
        """A client that asks the sentinels."""
        assert not changes
        return Client(self.shared)


class Encrypted(Sentinelled):
    """The same, where servers and sentinels speak TLS alone, and ask clients for a certificate."""

    scheme = "sentinels"

    def __init__(self, folder: Path, **env: str) -> None:
        self.tls = authority(folder)
        self.more = "".join(f"&ssl_{name}={path}" for name, path in self.tls.items())
        program = tls_server()
        assert program is not None
        (folder / "redis-server").symlink_to(program)  # its name says what it does
        super().__init__(folder, **env)

    def server_path(self) -> str:
        """Path of the server."""
        return str(self.folder / "redis-server")

    def connected(self, port: int, password: str | None) -> Redis:
        """A client of one server or sentinel, connected on first use."""
        files = {f"ssl_{name}": str(path) for name, path in self.tls.items()}
        return Redis(port=port, password=password, decode_responses=True, ssl=True, **files)  # type: ignore[arg-type]

    def listening(self, port: int) -> dict[str, str]:
        """The options of a server or sentinel that listens on this port."""
        files = zip(("tls-ca-cert-file", "tls-cert-file", "tls-key-file"), map(str, self.tls.values()), strict=True)
        return {"port": "0", "tls-port": str(port), "tls-replication": "yes", **dict(files)}


def authority(folder: Path) -> dict[str, Path]:
    """Create a certificate authority, and a certificate of it for this machine. Returns files by redis-py's names."""
    names = ("ca_certs", "certfile", "keyfile")
    files = dict(zip(names, (folder / name for name in ("ca.pem", "cert.pem", "key.pem")), strict=True))
    new = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2".split()
    by = ["-CA", str(files["ca_certs"]), "-CAkey", str(folder / "ca.key"), "-addext", "basicConstraints=CA:FALSE"]
    here = ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost"]
    for command in (
        [*new, "-subj", "/CN=tests", "-keyout", str(folder / "ca.key"), "-out", str(files["ca_certs"])],
        [*new, *here, *by, "-keyout", str(files["keyfile"]), "-out", str(files["certfile"])],
    ):
        subprocess.run(command, check=True, capture_output=True)
    return files
