"""Upright pages: a page that was scanned sideways, upside down or askew is found and put right before it is read.

OpenCV and NumPy are loaded with the first page, not before.
"""

import logging

from ocrqueue.documents import PageImage

log = logging.getLogger(__name__)


def upright(page: PageImage, max_pixels: int, label: str) -> PageImage:
    """The page as it should be read: turned, and the image given closed; or the same where it needs no turn.

    `max_pixels` is the most that the turned image may have; `label` names the page in the log. Raises nothing: a page
    that cannot be judged stays as it is, with a warning.
    """
    try:
        from ocrqueue.upright.direction import turn_needed
        from ocrqueue.upright.turn import turned

        degrees = turn_needed(page.image)
        if not degrees:
            return page
        result = turned(page, degrees, max_pixels)
    except Exception:
        log.warning("%s: read as it lies, since its direction could not be looked for", label, exc_info=True)
        return page
    log.info("%s turned by %.2f degrees", label, degrees)
    page.image.close()
    return result


def turned_to(page: PageImage, rotation: float, max_pixels: int) -> PageImage:
    """The page turned further until it is turned by `rotation` degrees in all, and the image given closed."""
    from ocrqueue.upright.turn import turned

    if rotation == page.rotation:
        return page
    result = turned(page, (rotation - page.rotation) % 360, max_pixels)
    page.image.close()
    return result
