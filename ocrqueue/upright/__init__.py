"""Upright pages: finds pages that were scanned sideways, upside down or askew, and turns them before they are read.

OpenCV and NumPy are loaded with the first page, not earlier.
"""

import logging

from ocrqueue.documents import PageImage

log = logging.getLogger(__name__)


def upright(page: PageImage, max_pixels: int, label: str) -> PageImage:
    """The page, upright. If it has to be turned, the result is a new image and the given one is closed.

    The turned image has at most `max_pixels` pixels; `label` names the page in the log. Raises nothing: if the
    direction cannot be found because of an error, the page is returned as it is, with a warning.
    """
    try:
        from ocrqueue.upright.direction import turn_needed
        from ocrqueue.upright.turn import turned

        degrees = turn_needed(page.image)
        if not degrees:
            return page
        result = turned(page, degrees, max_pixels)
    except Exception:
        log.warning("%s: not turned, because finding its direction failed", label, exc_info=True)
        return page
    log.info("%s turned clockwise by %.2f degrees", label, degrees)
    page.image.close()
    return result


def turned_to(page: PageImage, rotation: float, max_pixels: int) -> PageImage:
    """The page, turned so that its `rotation` becomes the given one (degrees). If it turns, it closes the old image."""
    from ocrqueue.upright.turn import turned

    if rotation == page.rotation:
        return page
    result = turned(page, (rotation - page.rotation) % 360, max_pixels)
    page.image.close()
    return result
