"""States, reasons, kinds and formats, each defined once. Redis, messages and results hold these strings."""

from enum import StrEnum


class JobState(StrEnum):
    """The state of a job."""

    QUEUED = "queued"  # recorded; its document is not opened yet
    RUNNING = "running"  # opened; pages are being read, or put together
    DONE = "done"  # every page was read
    PARTIAL = "partial"  # some pages were read
    FAILED = "failed"  # no page was read
    CANCELLED = "cancelled"  # cancelled before every page was finished

    @property
    def has_ended(self) -> bool:
        """Whether this state is final (until a retry)."""
        return self not in (JobState.QUEUED, JobState.RUNNING)


class PageState(StrEnum):
    """The state of one page of a job."""

    OPEN = "open"  # waits for a worker
    CLAIMED = "claimed"  # a worker reads it
    OK = "ok"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Return(StrEnum):
    """Why a claim is returned to the ledger without a result."""

    RELEASE = "release"  # the worker stops, or cannot load the model: not counted as an attempt
    LOST = "lost"  # the process that held the claim was killed: counts as an attempt
    EXPIRED = "expired"  # the lease ran out: counts as an attempt
    TIMEOUT = "timeout"  # the time limit ended the process: a page that was alone in the claim fails


class Origin(StrEnum):
    """Where the text of a line or page comes from."""

    OCR = "ocr"
    TEXT_LAYER = "text_layer"
    MIXED = "mixed"  # of a page: both


class WarningCode(StrEnum):
    """What may be wrong with a page that was read."""

    CUT_OFF = "cut_off"  # the model reached the limit on tokens
    REPETITION = "repetition"  # the model repeated itself endlessly; the text ends where that began
    POORLY_READ = "poorly_read"  # the quality of the page is low
    UNKNOWN_CHARACTERS = "unknown_characters"  # a text layer has characters that the file does not name
    STRUCTURE_BY_RULES = "structure_by_rules"  # the text is complete; its blocks were found by rules alone


class MessageKind(StrEnum):
    """What a Celery message of the ledger asks for."""

    DOCUMENT = "document"  # open the document
    PAGE = "page"  # a ticket: read the next page of a lane
    ASSEMBLE = "assemble"  # put the pages together and end the job
    ENDED = "ended"  # publish the end of the job
    FORMAT = "format"  # make one output format
    IMAGE = "image"  # make the image of a page
    DELIVER = "deliver"  # send the deliveries of webhooks that are due


class WebhookEvent(StrEnum):
    """What a webhook is called for."""

    JOB_DONE = "job.done"
    JOB_PARTIAL = "job.partial"
    JOB_FAILED = "job.failed"
    JOB_CANCELLED = "job.cancelled"
    PAGE_FINISHED = "page.finished"  # a page was read, or failed


class DeliveryState(StrEnum):
    """The state of the delivery of a webhook's event."""

    PENDING = "pending"  # not sent yet, or to be tried again
    DELIVERED = "delivered"  # answered with 2xx
    FAILED = "failed"  # given up after the last try, or the URL is not allowed
    GONE = "gone"  # the URL answered 410, to this delivery or to another one of its job


class ImageFormat(StrEnum):
    """The formats of the image of a page."""

    JPEG = "jpeg"
    PNG = "png"
    WEBP = "webp"


class FormatName(StrEnum):
    """The formats that a result can be written in, in the order in which they are listed to users."""

    TEXT = "text"
    MARKDOWN = "markdown"
    HTML = "html"
    JSON = "json"
    JSONL = "jsonl"
    HOCR = "hocr"
    ALTO = "alto"
    PDF = "pdf"


# The formats that are made from the blocks of pages: a job that asks for one asks for structure, too.
STRUCTURED_FORMATS = frozenset(name for name in FormatName if name in ("markdown", "html"))
