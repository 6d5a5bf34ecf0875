"""The options and bodies of a submission, as the OpenAPI document describes them. `parameters` checks them."""

from typing import Any

from ocrqueue.names import PRIORITIES
from ocrqueue.states import FormatName

_TEXT = {"type": "string"}
_TEXTS = {"type": "array", "items": _TEXT}
# by name, as JSON Schema; a form and a query have the same names and give every value as text
OPTIONS: dict[str, dict[str, Any]] = {
    "pages": {**_TEXT, "description": "ranges of pages to read", "example": "1-3,8,10-"},
    "lang": {**_TEXT, "description": "language of the text", "example": "en"},
    "engine": {**_TEXT, "description": "engine that reads the pages, or `auto`", "example": "rapidocr"},
    "model": {**_TEXT, "description": "model of the engine"},
    "dpi": {"type": "integer", "minimum": 36, "maximum": 1200, "description": "resolution of rendered pages"},
    "text_layer": {**_TEXT, "enum": ["use", "ignore"], "description": "whether to use the text of a PDF"},
    "priority": {**_TEXT, "enum": list(PRIORITIES)},
    "formats": {
        "type": "array",
        "items": {**_TEXT, "enum": [str(name) for name in FormatName]},
        "description": "made when the job ends; the others are made on request",
    },
    "structure": {"type": "boolean", "description": "find headings, lists, tables and so on; `markdown` implies it"},
    "keep_running_heads": {
        "type": "boolean",
        "description": "keep running heads, feet and page numbers in Markdown and HTML",
    },
    "fresh": {"type": "boolean", "description": "read the pages again, even if the page cache has them"},
    "key": {**_TEXT, "description": "of idempotency, like the header Idempotency-Key"},
    "name": {**_TEXT, "description": "of the document", "example": "scan.pdf"},
    "webhook": {**_TEXT, "description": "URL that is called when the job ends"},
    "webhook_events": {**_TEXTS, "description": "types of events that it is called for"},
}
_SECRETS = {
    "password": {**_TEXT, "description": "of an encrypted document"},
    "webhook_secret": {**_TEXT, "description": "signs the calls of the webhook"},
}
_BYTES = {"type": "string", "format": "binary"}
_IN_BODY = OPTIONS | _SECRETS


def _form(*fields: str, many: bool) -> dict[str, Any]:
    """The schema of a form with documents in one of these fields."""
    documents = {field: {"type": "array", "items": _BYTES} if many else _BYTES for field in fields}
    return {"type": "object", "properties": documents | _IN_BODY, "required": list(fields[:1]) if many else []}


_URL = {
    "type": "object",
    "properties": {"url": {**_TEXT, "format": "uri", "example": "https://example.org/scan.pdf"}, **_IN_BODY},
    "required": ["url"],
    "additionalProperties": False,
}
# of `POST /api/v1/jobs`: what the endpoint takes besides the parameters of its function
SUBMISSION: dict[str, Any] = {
    "parameters": [{"name": name, "in": "query", "schema": schema} for name, schema in OPTIONS.items()],
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {"schema": _form("file", many=True)},
            "application/json": {"schema": _URL},
            "application/octet-stream": {"schema": _BYTES},
        },
    },
}
# of `POST /api/ocr`
ORIGINAL: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {"multipart/form-data": {"schema": _form("image", "file", many=False)}},
    },
}
