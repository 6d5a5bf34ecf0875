"""Routes whose errors have a shape of their own: that of another service's API, or a page for people."""

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute

from ocrqueue.errors import OcrError
from ocrqueue.web.problems import error_of

Shape = Callable[[Request, OcrError], Response]
Handler = Callable[[Request], Coroutine[Any, Any, Response]]


def answering(shape: Shape) -> type[APIRoute]:
    """A class of routes whose errors are answered by `shape`; for `APIRouter(route_class=...)`."""

    class Shaped(APIRoute):
        def get_route_handler(self) -> Handler:
            handle = super().get_route_handler()

            async def answer(request: Request) -> Response:
                try:
                    return await handle(request)
                except (OcrError, RequestValidationError) as e:
                    return shape(request, await error_of(request, e))

            return answer

    return Shaped
