"""The OpenAPI document of the API: what FastAPI finds, and what all endpoints have in common."""

from typing import Any

from fastapi import FastAPI

from ocrqueue.web.problems import answers
from ocrqueue.web.settings import PREFIX

_TEXT = """Documents in, text out. Every error is a problem document (RFC 9457) with a `code`.
`docs/http-api.md` describes the API for people."""
_SCHEMES = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "an API key of `submit.py keys new`"},
    "header": {"type": "apiKey", "in": "header", "name": "X-Api-Key"},
}
_PROBLEM = {
    "type": "object",
    "title": "Problem",
    "description": "Why a request was refused (RFC 9457).",
    "required": ["type", "title", "status", "detail", "code"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string", "description": "the phrase of the HTTP status"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "what is wrong and what to do, for people"},
        "code": {"type": "string", "description": "what programs decide by"},
        "job": {"type": "string", "description": "of a submission whose outcome is not known"},
    },
    "example": {
        "type": "about:blank",
        "title": "Conflict",
        "status": 409,
        "detail": "job 0b4c8a2e-5f0e-4c57-9b6e-3f1f7c1f2a10 is running: its result comes when it has ended",
        "code": "not_ready",
    },
}
# of parameters in path, query and header, by name
_EXAMPLES: dict[str, Any] = {
    "job": "0b4c8a2e-5f0e-4c57-9b6e-3f1f7c1f2a10",
    "number": 1,
    "id": "0b4c8a2e-5f0e-4c57-9b6e-3f1f7c1f2a10-1",
    "q": "invoice",
    "wait": 1,
    "pages": True,
    "limit": 20,
    "name": "scan",
    "created_from": "2026-01-01T00:00:00Z",
    "width": 300,
    "Idempotency-Key": "invoice-4711",
}
# of every endpoint: a wrong parameter, a missing key, too many requests, a fault of the server, Redis cannot be reached
_EVERYWHERE = (401, 403, 422, 429, 500, 503)


def document(app: FastAPI) -> dict[str, Any]:
    """The document of the project's own API; the APIs of other services are described by those."""
    if app.openapi_schema:
        return app.openapi_schema
    found: dict[str, Any] = FastAPI.openapi(app)
    found["info"]["description"] = _TEXT
    found["paths"] = {path: item for path, item in found["paths"].items() if path.startswith(PREFIX)}
    components = found.setdefault("components", {})
    components["securitySchemes"] = _SCHEMES
    components.setdefault("schemas", {})["Problem"] = _PROBLEM
    found["security"] = [{"bearer": []}, {"header": []}, {}]  # none is needed on loopback while there are no keys
    for item in found["paths"].values():
        for operation in item.values():
            _complete(operation)
    _drop_unused(components["schemas"], found)
    return found


def _complete(operation: dict[str, Any]) -> None:
    """Add examples of parameters, and the answers that every endpoint may give."""
    for parameter in operation.get("parameters", ()):
        if parameter["name"] in _EXAMPLES and "example" not in parameter["schema"]:
            parameter["example"] = _EXAMPLES[parameter["name"]]
    for status, answer in answers(*_EVERYWHERE).items():
        operation["responses"][str(status)] = answer
    for status in ("429", "503"):
        operation["responses"][status] |= {"headers": {"Retry-After": {"schema": {"type": "string"}}}}
    operation["responses"] = dict(sorted(operation["responses"].items()))
    operation["summary"] = operation["description"].split("\n")[0].split(". ")[0].rstrip(".")


def _drop_unused(schemas: dict[str, Any], found: dict[str, Any]) -> None:
    """Remove schemas that only endpoints refer to that are not in the document, and those of FastAPI's own errors."""
    while unused := [name for name in schemas if f"'#/components/schemas/{name}'" not in str(found)]:
        for name in unused:
            del schemas[name]
