"""Logging in and out, and the choice of a language."""

from contextlib import suppress
from urllib.parse import parse_qsl

from anyio.to_thread import run_sync
from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from ocrqueue.errors import QueueUnavailable
from ocrqueue.ledger.connection import reaching
from ocrqueue.web.problems import ApiError
from ocrqueue.web.service import Service, ServiceOf
from ocrqueue.web.sessions import COOKIE, SECONDS, Sessions
from ocrqueue.web.shaped import answering
from ocrqueue.web.ui.rendering import error_page, page, root_of
from ocrqueue.web.ui.texts import COOKIE as LANGUAGE
from ocrqueue.web.ui.texts import LANGUAGES, language_of, texts

_YEAR = 365 * 86_400  # seconds
_FORM_BYTES = 8192  # of the form of the log-in
router = APIRouter(include_in_schema=False, route_class=answering(error_page))


@router.get("/login")
def login_page(request: Request, to: str = "") -> Response:
    """The form that asks for an API key."""
    return page(request, "login.html", to=_own(request, to), error=None)


@router.post("/login")
async def log_in(request: Request, service: ServiceOf) -> Response:
    """Begin a session for an API key, and go to the page that was asked for. The form has the fields key and to."""
    _refuse_other_sites(request)
    body = await service.receiver.text(request, _FORM_BYTES)
    form = dict(parse_qsl(body.decode(errors="replace")))
    return await run_sync(_begin, request, service, form.get("key", ""), form.get("to", ""))


def _begin(request: Request, service: Service, key: str, to: str) -> Response:
    found = service.keys.find(key)
    if found is None:
        return page(request, "login.html", 401, to=_own(request, to), error=texts(language_of(request))["log_in_wrong"])
    answer = RedirectResponse(_own(request, to), 303)
    if found.name:
        with reaching(service.client.settings):
            token = Sessions(service.client.redis).open(found.hash)
        secure = request.url.scheme == "https"
        path = _home(request)
        answer.set_cookie(COOKIE, token, max_age=SECONDS, path=path, httponly=True, samesite="strict", secure=secure)
    return answer


@router.post("/logout")
def log_out(request: Request, service: ServiceOf) -> Response:
    """End the session. While Redis is away the browser forgets it, and it ends by itself after its time."""
    _refuse_other_sites(request)
    if token := request.cookies.get(COOKIE):
        with suppress(QueueUnavailable), reaching(service.client.settings):
            Sessions(service.client.redis).close(token)
    answer = RedirectResponse(f"{root_of(request)}/login", 303)
    answer.delete_cookie(COOKIE, path=_home(request))
    return answer


@router.get("/language/{language}")
def choose_language(request: Request, language: str, to: str = "") -> Response:
    """Remember a language, and go back to the page."""
    answer = RedirectResponse(_own(request, to), 303)
    if language in LANGUAGES:
        answer.set_cookie(LANGUAGE, language, max_age=_YEAR, path=_home(request), samesite="lax")
    return answer


def _refuse_other_sites(request: Request) -> None:
    """Raise ApiError if a page of another site sent the form: it would log people in as somebody else, or out."""
    if request.headers.get("Sec-Fetch-Site", "none") not in ("none", "same-origin"):
        raise ApiError("origin_not_allowed", "another web page sent this form: open the page of OCR Queue yourself")


def _own(request: Request, path: str) -> str:
    """A path of this service; that of the queue for anything that a browser could take for another site."""
    is_path = path.startswith("/") and not path.startswith(("//", "/\\")) and path.isprintable()
    return path if is_path else _home(request)


def _home(request: Request) -> str:
    """The path of the queue page, to which cookies are sent: another service on the host may use the same names."""
    return f"{root_of(request)}/"
