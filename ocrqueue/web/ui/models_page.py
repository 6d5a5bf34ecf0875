"""The models page: what worker children have in memory, and the model directory of this machine."""

from fastapi import APIRouter, Request, Response

from ocrqueue.web.routes.operations import ReaderOfAll, models
from ocrqueue.web.service import ServiceOf
from ocrqueue.web.shaped import answering
from ocrqueue.web.ui.rendering import error_page, page

router = APIRouter(include_in_schema=False, route_class=answering(error_page))


@router.get("/models")
def models_page(request: Request, service: ServiceOf, key: ReaderOfAll) -> Response:
    """The models page. The status of each model is that of an audit made now; nothing is verified or moved."""
    return page(request, "models.html", **models(service, key))
