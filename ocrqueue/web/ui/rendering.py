"""Renders the templates, and sends every page with headers that keep foreign scripts out."""

from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from fastapi import Request, Response
from fastapi.responses import RedirectResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from ocrqueue import __version__
from ocrqueue.errors import OcrError
from ocrqueue.web.problems import headers_of, status_of
from ocrqueue.web.sessions import COOKIE, change_token
from ocrqueue.web.ui.assets import VERSION, packed
from ocrqueue.web.ui.filters import filters
from ocrqueue.web.ui.texts import LANGUAGES, error_texts, language_of, script_texts, texts

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


@cache
def _environment(language: str) -> Environment:
    """The templates in a language. What they print is escaped. A name that a template does not know is an error."""
    found = Environment(
        loader=FileSystemLoader(_FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.filters |= filters(texts(language)["decimal_mark"])
    return found


def root_of(request: Request) -> str:
    """The path below which a reverse proxy shows the service (OCR_HTTP_ROOT_PATH), such as "/ocr", or ""."""
    return str(request.scope.get("root_path", ""))


def page(request: Request, template: str, status: int = 200, **values: Any) -> Response:
    """A page of the web UI, or a part of one. `values` are the template's variables."""
    language, root = language_of(request), root_of(request)
    table = texts(language)

    def text(name: str, **parts: object) -> str:
        return table[name].format(**parts)

    session, known = request.cookies.get(COOKIE), hasattr(request.state, "key")
    keys_required = request.app.state.service.keys.are_required
    content = (
        _environment(language)
        .get_template(template)
        .render(
            t=text,
            texts=table,
            errors=error_texts(language),
            script_texts=script_texts(language),
            language=language,
            languages=LANGUAGES,
            version=__version__,
            root=root,
            static=f"{root}/static/{VERSION}",
            path=request.url.path.removeprefix(root),
            here=_here(request),
            change_token=change_token(session) if session else "",
            who=request.state.key if known else "",
            is_inside=known or not keys_required,
            **values,
        )
    )
    return packed(request, content.encode(), "text/html; charset=utf-8", status, _HEADERS)


def error_page(request: Request, error: OcrError) -> Response:
    """The page for an error; the form that asks for a key if one is missing."""
    if error.code == "key_missing":
        return RedirectResponse(f"{root_of(request)}/login?{urlencode({'to': _here(request)})}", 303)
    # the words of the API name its own paths and commands, which people who use the web UI do not need
    language = language_of(request)
    own = texts(language).get(f"error_{error.code}") or error_texts(language).get(error.code)
    shown = page(request, "error.html", status_of(error), message=own or error.message, code=error.code)
    shown.headers.update(headers_of(error))
    return shown


def _here(request: Request) -> str:
    """The address that the browser shows, without the server."""
    return request.url.path + (f"?{request.url.query}" if request.url.query else "")
