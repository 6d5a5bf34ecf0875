"""Renders the templates, and sends every page with headers that keep foreign scripts out."""

from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from fastapi import Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from ocrqueue import __version__
from ocrqueue.errors import OcrError
from ocrqueue.web.problems import headers_of, status_of
from ocrqueue.web.sessions import COOKIE, change_token
from ocrqueue.web.ui.filters import FILTERS
from ocrqueue.web.ui.texts import LANGUAGES, language_of, texts

_FOLDER = Path(__file__).parent / "templates"
_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
}
# Everything that a template prints is escaped. A name that a template does not know is an error.
_environment = Environment(loader=FileSystemLoader(_FOLDER), autoescape=True, undefined=StrictUndefined)
_environment.filters |= FILTERS


def page(request: Request, template: str, status: int = 200, **values: Any) -> HTMLResponse:
    """A page of the web UI. `values` are the template's variables."""
    language = language_of(request)
    table = texts(language)

    def text(name: str, **parts: object) -> str:
        return table[name].format(**parts)

    session = request.cookies.get(COOKIE)
    content = _environment.get_template(template).render(
        t=text,
        texts=table,
        language=language,
        languages=LANGUAGES,
        version=__version__,
        path=request.url.path,
        change_token=change_token(session) if session else "",
        **values,
    )
    return HTMLResponse(content, status, _HEADERS)


def error_page(request: Request, error: OcrError) -> Response:
    """The page for an error; the form that asks for a key if one is missing."""
    if error.code == "key_missing":
        return RedirectResponse(f"/login?{urlencode({'to': request.url.path})}", 303)
    shown = page(request, "error.html", status_of(error), message=error.message, code=error.code)
    shown.headers.update(headers_of(error))
    return shown
