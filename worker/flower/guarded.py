"""`python -m worker.flower.guarded`: the command `celery`, whose Flower refuses requests of other sites' web pages.

Flower looks at no name in `Host`, so without a password a page could read its tasks by DNS rebinding.
"""

from typing import Any

from celery.__main__ import main
from flower import command
from tornado.httputil import HTTPServerRequest
from tornado.web import RequestHandler

from ocrqueue.hosts import foreign_name, is_of_other_page

_REFUSAL = "without a password, Flower answers to 127.0.0.1 and localhost only: use one, or set OCR_FLOWER_PASSWORD\n"


class _Refused(RequestHandler):
    """Answers any request with 403."""

    def prepare(self) -> None:
        self.set_status(403)
        self.finish(_REFUSAL)


class _Guarded(command.Flower):
    """Flower, behind the same guard as the process `web`."""

    def find_handler(self, request: HTTPServerRequest, **kwargs: Any) -> Any:
        """What handles a request."""
        if foreign_name(request.headers) is not None or is_of_other_page(request.method or "", request.headers):
            return self.get_handler_delegate(request, _Refused)
        return super().find_handler(request, **kwargs)


if __name__ == "__main__":
    command.Flower = _Guarded
    main()
