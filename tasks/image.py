"""`ocr.image`: makes the image of a page, for people who look at it. If it fails, the page stays as it is.

The task's id follows from the job and the file (`names.format_id`). Celery stores the outcome under it.
"""

from typing import Any

from ocrqueue import names
from ocrqueue.errors import OcrFailed, UnknownJob
from ocrqueue.states import ImageFormat
from ocrqueue.storage.page_images import WIDTHS, PageImageFile
from tasks.format import FormatTask
from worker.app import app
from worker.context import ledger
from worker.messages import parse_job
from worker.steps import write_image


@app.task(bind=True, base=FormatTask, name=names.IMAGE, ignore_result=False, throws=(OcrFailed,))
def image(self: FormatTask, *args: Any, version: Any = names.VERSION, **more: Any) -> str:
    """Make an image; returns its file's name in the job's folder. Raises OcrFailed, with a code and a message."""
    wanted = None if more else _wanted(args[1:])
    if wanted is None:
        raise self.refuse(f"arguments that are not (job, round, page, width, format): {[*args, *more]!r}")
    job = parse_job(self, args[0], version)
    try:
        record = ledger().job(job)
    except UnknownJob as e:  # nobody waits for it
        raise self.refuse(f"job={job}: {wanted.name} could not be made: {e.message}") from None
    return write_image(record, wanted)


def _wanted(args: tuple[Any, ...]) -> PageImageFile | None:
    match args:
        case (int(round), int(number), width, str(format)) if (
            round > 0 and 0 < number < 1_000_000 and width in (None, *WIDTHS) and format in tuple(ImageFormat)
        ):
            return PageImageFile(round, number, width, ImageFormat(format))
    return None
