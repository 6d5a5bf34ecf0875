"""Sources of documents: allowed files and URLs, and how they are fetched."""

import http.server
import io
import ipaddress
import os
import socket
import threading
from contextlib import contextmanager

import pytest

from ocrqueue.errors import DocumentError, StorageError
from ocrqueue.fetching.addresses import is_public, parse_url
from ocrqueue.fetching.sources import Allowed, fetch_source
from ocrqueue.limits import Limits

BODY = b"%PDF-1.7 some document"


def fetch(spec, allowed=(), limits=Limits()):  # noqa: B008 - frozen
    target = io.BytesIO()
    return fetch_source(spec, target, allowed, limits), target.getvalue()


def refusal(spec, allowed=(), limits=Limits()):  # noqa: B008 - frozen
    with pytest.raises(DocumentError) as error:
        fetch(spec, allowed, limits)
    assert "\n" not in error.value.message
    return error.value.code


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers each request with the method that the first part of the path names."""

    def do_GET(self):
        self.server.requests.append((self.path, dict(self.headers)))
        getattr(self, self.path.split("/")[1].partition("?")[0].partition("%")[0] or "docs")()

    def docs(self, body=BODY, length=None, headers=()):
        self.send_response(200)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        self.wfile.write(body)

    def to(self):
        self.send_response(302)
        self.send_header("Location", self.path.partition("?")[2])
        self.end_headers()

    def loop(self):
        self.send_response(302)
        self.send_header("Location", self.path + "x")
        self.end_headers()

    def short(self):
        self.docs(length=1000)

    def gzip(self):
        self.docs(headers=[("Content-Encoding", "gzip")])

    def missing(self):
        self.send_error(404)

    def endless(self):
        self.send_response(200)
        self.end_headers()
        while not self.server.stopped.is_set():
            try:
                self.wfile.write(b"x" * 65536)
            except OSError:
                return

    def drip(self):
        while not self.server.stopped.wait(0.05):
            try:
                self.wfile.write(b"H")
            except OSError:
                return

    def log_message(self, *args):
        pass


@pytest.fixture
def server():
    with serving("127.0.0.1") as running:
        yield running


@contextmanager
def serving(host):
    running = http.server.ThreadingHTTPServer((host, 0), Handler)
    running.requests = []
    running.stopped = threading.Event()
    running.url = f"http://{host}:{running.server_port}"
    thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield running
    finally:
        running.stopped.set()
        running.shutdown()
        running.server_close()
        thread.join()


# Malformed sources and settings


@pytest.mark.parametrize(
    "spec",
    [{}, {"path": 1}, {"path": ""}, {"path": "relative.pdf"}, {"path": "/a\0b"}, {"spool": "x"}, {"url": None},
     {"path": "/a", "url": "http://b/"}, {"path": "/" + "a" * 5000}],
)  # fmt: skip
def test_malformed_sources(spec):
    assert refusal(spec, ["/"]) == "invalid_options"


@pytest.mark.parametrize("entry", ["relative", "ftp://host/", "http://user@host/", "file:///etc", "http://h/?q=1", ""])
def test_malformed_settings(entry):
    with pytest.raises(ValueError, match=r"entry is|question mark"):
        Allowed.parse([entry])


# Files


def test_a_file_below_an_allowed_folder_is_read(tmp_path):
    file = tmp_path / "in" / "deep" / "sc\nan.pdf"
    file.parent.mkdir(parents=True)
    file.write_bytes(BODY)
    assert fetch({"path": str(file)}, [str(tmp_path / "in")]) == ("scan.pdf", BODY)
    assert fetch({"path": f"{tmp_path}/in/../in/deep/{file.name}"}, [str(tmp_path)]) == ("scan.pdf", BODY)
    for allowed in ([], [str(tmp_path / "i")], [str(tmp_path / "in" / "deep" / "er")], [str(file)]):
        assert refusal({"path": str(file)}, allowed) == "source_not_allowed"


def test_a_link_is_allowed_if_its_target_is(tmp_path):
    inside, outside = tmp_path / "in", tmp_path / "out"
    inside.mkdir()
    outside.mkdir()
    (outside / "secret").write_bytes(b"secret")
    (inside / "file").write_bytes(BODY)
    (inside / "escape").symlink_to(outside / "secret")
    (inside / "folder").symlink_to(outside)
    (inside / "alias").symlink_to("file")
    (outside / "entry").symlink_to(inside)
    allowed = [str(inside)]
    for path in ("escape", "folder/secret", "../out/secret"):
        assert refusal({"path": f"{inside}/{path}"}, allowed) == "source_not_allowed"
    assert fetch({"path": f"{inside}/alias"}, allowed)[1] == BODY
    assert fetch({"path": f"{outside}/entry/file"}, allowed)[1] == BODY
    assert fetch({"path": f"{inside}/file"}, [f"{outside}/entry"])[1] == BODY


def test_a_folder_replaced_by_a_link_after_the_check_is_not_followed(tmp_path, monkeypatch):
    inside, outside = tmp_path / "in", tmp_path / "out"
    (inside / "sub").mkdir(parents=True)
    outside.mkdir()
    (outside / "file").write_bytes(b"secret")
    (inside / "sub" / "file").write_bytes(BODY)
    real = os.path.realpath

    def resolved(path, **options):
        result = real(path, **options)
        if str(path).endswith("file"):
            (inside / "sub").rename(inside / "old")
            (inside / "sub").symlink_to(outside)
        return result

    monkeypatch.setattr(os.path, "realpath", resolved)
    assert refusal({"path": f"{inside}/sub/file"}, [str(inside)]) == "source_unreachable"


def test_only_regular_files_are_read_and_no_open_blocks(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    for name in ("pipe", "folder"):
        assert refusal({"path": str(tmp_path / name)}, [str(tmp_path)]) == "source_not_allowed"
    assert refusal({"path": "/dev/zero"}, ["/"]) == "source_not_allowed"


def test_missing_and_too_large_files_are_refused(tmp_path):
    (tmp_path / "large").write_bytes(b"x" * 1001)
    assert refusal({"path": str(tmp_path / "none")}, [str(tmp_path)]) == "source_unreachable"
    assert refusal({"path": str(tmp_path / "large")}, [str(tmp_path)], Limits(max_bytes=1000)) == "too_large"
    with pytest.raises(DocumentError, match="more than 1,000 bytes: send it in parts, or raise OCR_MAX_MB"):
        fetch({"path": str(tmp_path / "large")}, [str(tmp_path)], Limits(max_bytes=1000))
    assert fetch({"path": str(tmp_path / "large")}, [str(tmp_path)], Limits(max_bytes=1001))[1] == b"x" * 1001


def test_a_full_spool_is_a_storage_error(tmp_path):
    (tmp_path / "file").write_bytes(BODY)

    class Full(io.BytesIO):
        def write(self, _):
            raise OSError(28, "No space left on device")

    with pytest.raises(StorageError, match="No space left"):
        fetch_source({"path": str(tmp_path / "file")}, Full(), [str(tmp_path)], Limits())


# URLs


def test_a_url_below_an_allowed_url_is_fetched(server):
    url = f"{server.url}/docs/my%20scan.pdf?key=1#part"
    assert fetch({"url": url}, [f"{server.url}/docs"]) == ("my scan.pdf", BODY)
    ((path, headers),) = server.requests
    assert path == "/docs/my%20scan.pdf?key=1"
    assert headers == {"Host": server.url[7:], "User-Agent": "ocr-queue", "Accept-Encoding": "identity"}
    assert fetch({"url": server.url}, [server.url])[0] == "127.0.0.1"


def test_proxies_and_netrc_of_the_environment_are_not_used(server, monkeypatch, tmp_path):
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login a password b")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9/")
    assert fetch({"url": f"{server.url}/docs"}, [server.url])[1] == BODY
    assert "Authorization" not in server.requests[0][1]


@pytest.mark.parametrize(
    ("allowed", "url", "covered"),
    [
        ("https://good.example/docs", "https://good.example/docs", True),
        ("https://good.example/docs", "https://GOOD.example:443/docs/x", True),
        ("HTTPS://Good.example./docs", "https://good.example./docs/x", True),
        ("http://[::1]/", "http://[0:0:0:0:0:0:0:1]:80/x", True),
        ("https://good.example", "https://good.example/any/thing", True),
        ("https://good.example/docs/", "https://good.example/docs/x", True),
        ("https://good.example/docs/", "https://good.example/docs", False),
        ("https://good.example/docs", "https://good.example/docsx", False),
        ("https://good.example/docs", "https://good.example/Docs", False),
        ("https://good.example/docs", "https://good.example/%64ocs", False),
        ("https://good.example/docs", "https://good.example/", False),
        ("https://good.example/", "http://good.example/", False),
        ("https://good.example/", "https://good.example:8443/", False),
        ("https://good.example/", "https://good.example.evil.example/", False),
        ("https://good.example/", "https://evilgood.example/", False),
        ("https://good.example/", "https://sub.good.example/", False),
    ],
)
def test_urls_that_an_allowed_url_covers(allowed, url, covered):
    assert parse_url(allowed).covers(parse_url(url)) is covered


@pytest.mark.parametrize(
    "url",
    [
        "ftp://good.example/", "file:///etc/passwd", "simplecache::http://good.example/", "//good.example/",
        "good.example", "http://good.example@evil.example/", "http://user:pw@good.example/", "http://good.example\\@evil.example/",
        "http://good.example /", "http://good.exa\tmple/", "http://good.example/\r\nX: y", " http://good.example/",
        "http://gööd.example/", "http://good%2eexample/", "http://[::1%25eth0]/", "http://[::1/", "http:///docs",
        "http://good.example:port/", "http://good.example:99999/", "http://good.example/docs/../secret",
        "http://good.example/docs/%2e%2e/secret", "http://good.example/docs/%2E./secret",
        "http://good.example/docs/%252e%252e/secret", "http://good.example/docs/..%2fsecret",
        "http://good.example/docs/x%2f..%2f..%2fsecret", "http://good.example/docs/..%5csecret",
        "http://good.example/docs/..;/secret", "http://good.example/docs/./secret",
    ],
)  # fmt: skip
def test_ambiguous_urls_are_refused(url):
    assert refusal({"url": url}, ["http://good.example/docs"]) == "invalid_options"


def test_a_url_that_is_not_allowed_is_not_requested(server):
    for allowed in ([], [f"{server.url}/other"], ["http://127.0.0.1/"], ["/"], [server.url.replace("http", "https")]):
        assert refusal({"url": f"{server.url}/docs"}, allowed) == "source_not_allowed"
    assert server.requests == []


def test_redirects_are_checked_like_any_url(server):
    allowed = [f"{server.url}/docs", f"{server.url}/to", f"{server.url}/loop"]

    def to(target):
        return {"url": f"{server.url}/to?{target}"}

    assert fetch(to("/docs/x"), allowed)[1] == BODY
    assert fetch(to(f"{server.url}/docs/x"), allowed)[1] == BODY
    with serving("127.0.0.1") as other:
        targets = (
            "/secret",
            "/docs/%2e%2e/secret",
            f"{other.url}/docs",
            "file:///etc/passwd",
            "http://a@127.0.0.1/docs",
        )
        for target in targets:
            assert refusal(to(target), allowed) == "source_not_allowed", target
        assert other.requests == []
    server.requests.clear()
    assert refusal({"url": f"{server.url}/loop/"}, allowed) == "source_unreachable"
    assert len(server.requests) == 6


def test_a_name_of_a_private_address_is_refused(server):
    url = f"http://localhost:{server.server_port}/docs"
    assert refusal({"url": url}, [f"http://localhost:{server.server_port}/"]) == "source_not_allowed"
    for host in ("2130706433", "127.1", "0x7f.0.0.1"):  # resolvers read these as 127.0.0.1
        code = refusal({"url": f"http://{host}:{server.server_port}/docs"}, [f"http://{host}:{server.server_port}/"])
        assert code in {"source_not_allowed", "source_unreachable"}
    assert server.requests == []


def test_a_name_is_resolved_once_and_that_address_is_used(server, monkeypatch):
    looked_up = []
    real = socket.getaddrinfo

    def changing(host, port, *args, **kwargs):
        if host != "rebinding.example":
            return real(host, port, *args, **kwargs)
        looked_up.append(host)
        address = "93.184.215.14" if len(looked_up) == 1 else "127.0.0.1"
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]

    connected = []

    def connect(address, timeout):
        connected.append(address)
        raise ConnectionRefusedError("closed")

    monkeypatch.setattr(socket, "getaddrinfo", changing)
    monkeypatch.setattr(socket, "create_connection", connect)
    base = f"http://rebinding.example:{server.server_port}/"
    assert refusal({"url": base + "docs"}, [base]) == "source_unreachable"
    assert looked_up == ["rebinding.example"]
    assert connected == [("93.184.215.14", server.server_port)]


def test_the_host_header_names_the_host_and_not_the_address(server, monkeypatch):
    monkeypatch.setattr("ocrqueue.fetching.sources.resolve", lambda _: [ipaddress.ip_address("127.0.0.1")])
    base = f"http://named.example:{server.server_port}/"
    assert fetch({"url": base + "docs/a.pdf"}, [base]) == ("a.pdf", BODY)
    assert server.requests[0][1]["Host"] == f"named.example:{server.server_port}"


def test_unknown_hosts_and_closed_ports_are_unreachable(monkeypatch):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        base = f"http://127.0.0.1:{closed.getsockname()[1]}/"
        assert refusal({"url": base}, [base]) == "source_unreachable"

    def unknown(*args, **kwargs):
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    base = "http://nowhere.invalid/"
    assert refusal({"url": base}, [base]) == "source_unreachable"


def test_an_https_url_is_not_fetched_without_tls(server):
    base = server.url.replace("http", "https")
    assert refusal({"url": f"{base}/docs"}, [base]) == "source_unreachable"


@pytest.mark.parametrize("answer", ["missing", "short", "gzip"])
def test_answers_without_a_document_are_refused(server, answer):
    assert refusal({"url": f"{server.url}/{answer}"}, [server.url]) == "source_unreachable"


def test_an_endless_answer_is_stopped_at_the_limit(server):
    assert refusal({"url": f"{server.url}/endless"}, [server.url], Limits(max_bytes=200_000)) == "too_large"


def test_a_server_that_sends_single_bytes_does_not_block_a_worker(server):
    limits = Limits(open_seconds=1)
    with pytest.raises(DocumentError, match="took too long") as error:
        fetch({"url": f"{server.url}/drip"}, [server.url], limits)
    assert error.value.code == "source_unreachable"


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("93.184.215.14", True), ("2606:2800:21f:cb07:6820:80da:af6b:8b2c", True),
        ("127.0.0.1", False), ("10.0.0.1", False), ("192.168.1.1", False), ("172.16.0.1", False),
        ("169.254.169.254", False), ("100.64.0.1", False), ("0.0.0.0", False), ("224.0.0.1", False),
        ("255.255.255.255", False), ("::1", False), ("::", False),
        ("fe80::1", False), ("fd00::1", False), ("ff02::1", False), ("::ffff:127.0.0.1", False),
        ("::ffff:10.0.0.1", False), ("64:ff9b::7f00:1", False), ("64:ff9b::a9fe:a9fe", False), ("2002:7f00:1::", False),
    ],
)  # fmt: skip
def test_public_and_private_addresses(address, public):
    assert is_public(ipaddress.ip_address(address)) is public
