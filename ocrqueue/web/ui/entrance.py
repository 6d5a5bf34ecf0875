"""Logging in and out, the choice of a language, and the files that pages load."""

from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import RedirectResponse
from fastapi.staticfiles import StaticFiles

from ocrqueue.ledger.connection import reaching
from ocrqueue.web.service import ServiceOf
from ocrqueue.web.sessions import COOKIE, SECONDS, Sessions
from ocrqueue.web.ui.rendering import page
from ocrqueue.web.ui.texts import COOKIE as LANGUAGE
from ocrqueue.web.ui.texts import LANGUAGES, language_of, texts

STATIC = StaticFiles(directory=Path(__file__).parent / "static")
_YEAR = 365 * 86_400  # seconds
router = APIRouter(include_in_schema=False)


@router.get("/login")
def login_page(request: Request, to: str = "/") -> Response:
    """The form that asks for an API key."""
    return page(request, "login.html", to=_own(to), error=None)


@router.post("/login")
def log_in(
    request: Request, service: ServiceOf, key: Annotated[str, Form()], to: Annotated[str, Form()] = "/"
) -> Response:
    """Begin a session for an API key, and go to the page that was asked for."""
    found = service.keys.find(key)
    if found is None:
        return page(request, "login.html", 401, to=_own(to), error=texts(language_of(request))["log_in_wrong"])
    answer = RedirectResponse(_own(to), 303)
    if found.name:
        with reaching(service.client.settings):
            token = Sessions(service.client.redis).open(found.name)
        secure = request.url.scheme == "https"
        answer.set_cookie(COOKIE, token, max_age=SECONDS, httponly=True, samesite="strict", secure=secure)
    return answer


@router.post("/logout")
def log_out(request: Request, service: ServiceOf) -> Response:
    """End the session."""
    if token := request.cookies.get(COOKIE):
        with reaching(service.client.settings):
            Sessions(service.client.redis).close(token)
    answer = RedirectResponse("/login", 303)
    answer.delete_cookie(COOKIE)
    return answer


@router.get("/language/{language}")
def choose_language(language: str, to: str = "/") -> Response:
    """Remember a language, and go back to the page."""
    answer = RedirectResponse(_own(to), 303)
    if language in LANGUAGES:
        answer.set_cookie(LANGUAGE, language, max_age=_YEAR, samesite="lax")
    return answer


def _own(path: str) -> str:
    """A path of this service; "/" for anything that a browser could take for another site."""
    is_path = path.startswith("/") and not path.startswith(("//", "/\\")) and path.isprintable()
    return path if is_path else "/"
