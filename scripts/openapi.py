"""`python -m scripts.openapi`: writes the OpenAPI document of the HTTP API to docs/openapi.json."""

import json
from pathlib import Path

from ocrqueue.client import Client
from ocrqueue.settings import Shared
from ocrqueue.web.app import create_app
from ocrqueue.web.settings import web_settings

TARGET = Path(__file__).resolve().parent.parent / "docs" / "openapi.json"


def text() -> str:
    """The document as it is checked in."""
    settings = Shared(Path("/nonexistent"), "redis://localhost:1/0", False, "/nonexistent", None, 1, 1)
    return json.dumps(create_app(web_settings(), Client(settings)).openapi(), indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    TARGET.write_text(text())
