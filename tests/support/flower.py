"""Flower beside a stack, and its pages."""

import base64
import sys
import urllib.error
import urllib.request

from tests.support.harness import Stack, eventually, free_port


def get(url: str, user: str | None = None, **headers: str) -> tuple[int, str]:
    """(status, body) of a page; status 0 without a connection. `user` is "name:password"."""
    request = urllib.request.Request(url, headers={name.replace("_", "-"): value for name, value in headers.items()})
    if user:
        request.add_header("Authorization", "Basic " + base64.b64encode(user.encode()).decode())
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as e:
        return e.code, ""
    except OSError:
        return 0, ""


def start_flower(stack: Stack, **env: str) -> str:
    """Start Flower. Returns its URL once it answers."""
    port = free_port()
    stack.spawn("flower", [sys.executable, "-m", "worker.flower"], OCR_FLOWER_PORT=str(port), **env)
    url = f"http://127.0.0.1:{port}"
    eventually(lambda: get(url)[0], 30)
    return url
