"""What the ledger gives back: a job's record, a claim, and the messages to send afterwards."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ocrqueue import names
from ocrqueue.options import Options, select_pages

ENDED = frozenset({"done", "partial", "failed", "cancelled"})

_PAGE_STATES = {"c": "claimed", "o": "open", "x": "cancelled", "f": "failed"}


@dataclass(frozen=True, slots=True)
class Message:
    """A Celery message that the caller of a ledger step sends afterwards. Losing it is harmless: it is sent again."""

    kind: str  # "document", "page", "assemble", "ended" or "format"
    job: str
    args: tuple[int, ...] = ()  # page: lane, serial; assemble: round
    queue: str | None = None  # of the job's pages; None until the document is opened
    priority: int = 6  # Celery's: 0 goes first
    name: str = ""  # the document's name, for whoever looks at the queue


@dataclass(frozen=True, slots=True)
class Source:
    """The document of a job: in the spool, or (until it has been copied there) a path or URL that a worker may read."""

    name: str  # as it was handed over, for people
    file: str | None = None  # "source-<sha256>" in the job's folder; None: not copied into the spool yet
    sha256: str | None = None
    bytes: int | None = None
    spec: Mapping[str, str] | None = None  # {"path": ...} or {"url": ...}, where it comes from

    def to_json(self) -> dict[str, Any]:
        """Ready for JSON; None left out."""
        values = {"name": self.name, "file": self.file, "sha256": self.sha256, "bytes": self.bytes, "spec": self.spec}
        return {k: v for k, v in values.items() if v is not None}

    def dumps(self) -> str:
        """As it stands in the job's record."""
        return json.dumps(self.to_json())


@dataclass(frozen=True, slots=True)
class Job:
    """A job's record, as it stood when it was read."""

    id: str
    state: str  # queued, running, done, partial, failed or cancelled
    round: int  # 1, and one more with each retry
    source: Source
    options: Options
    created: float  # seconds since 1970
    opened: float | None  # when its pages were opened
    ended: float | None
    engine: str | None  # decided when the document is opened
    model: str | None
    revision: str | None
    queue: str | None  # of its pages
    pages: int | None  # asked for; None until the document is opened
    total: int | None  # of the document
    ok: int
    failed: int
    cancelled: int
    cancelling: bool  # a cancel was asked for
    code: str | None  # why the document could not be opened
    message: str | None
    lanes: int

    @property
    def has_ended(self) -> bool:
        """Whether the job is in a final state."""
        return self.state in ENDED

    @property
    def finished(self) -> int:
        """Pages that are ok, failed or cancelled."""
        return self.ok + self.failed + self.cancelled

    @property
    def numbers(self) -> "PageNumbers":
        """Turns the ledger's page indices into page numbers of the document, and back."""
        return PageNumbers(self.options.pages, self.total or 0)

    @classmethod
    def parse(cls, job: str, record: Mapping[str, str]) -> "Job":
        """From the job's hash."""

        def number(name: str) -> float | None:
            return float(record[name]) if name in record else None

        def count(name: str) -> int:
            return int(record.get(name, 0))

        opened = "n" in record
        return cls(
            id=job,
            state=record["state"],
            round=count("round"),
            source=Source(**json.loads(record["source"])),
            options=Options.parse(json.loads(record["options"])),
            created=float(record["created"]),
            opened=number("opened"),
            ended=number("ended"),
            engine=record.get("engine"),
            model=record.get("model"),
            revision=record.get("revision"),
            queue=record.get("queue"),
            pages=count("n") if opened else None,
            total=count("total") if opened else None,
            ok=count("ok"),
            failed=count("failed"),
            cancelled=count("cancelled"),
            cancelling="cancel" in record,
            code=record.get("code"),
            message=record.get("message"),
            lanes=count("width"),
        )


class PageNumbers:
    """The pages asked for: the ledger counts them from 1, the document has its own numbers."""

    def __init__(self, pages: str | None, total: int) -> None:
        self._all = pages is None
        self._chosen = [] if pages is None or not total else select_pages(pages, total)
        self._index = {number: i for i, number in enumerate(self._chosen, 1)}

    def number(self, index: int) -> int:
        """The document's page number of the `index`-th page asked for."""
        return index if self._all else self._chosen[index - 1]

    def index(self, number: int) -> int:
        """The place of a page number among the pages asked for, from 1."""
        return number if self._all else self._index[number]


@dataclass(frozen=True, slots=True)
class ClaimedPage:
    """A page that a claim holds."""

    number: int  # of the document, from 1
    attempts: int  # claims of it that were lost before


@dataclass(frozen=True, slots=True)
class Claim:
    """Pages taken from the ledger by a ticket, held until the lease runs out; it is renewed while the work runs."""

    job: Job
    token: str
    pages: tuple[ClaimedPage, ...]


@dataclass(frozen=True, slots=True)
class PageState:
    """What the ledger knows of one page."""

    number: int
    state: str  # open, claimed, ok, failed or cancelled
    attempts: int = 0  # claims of it that were lost
    code: str | None = None  # of a failed page
    message: str | None = None

    @classmethod
    def parse(cls, number: int, value: str) -> "PageState":
        """From a value of the hash of pages, such as "c0" or "f1 timeout it took too long"; see `lua/prelude.lua`."""
        head, _, rest = value.partition(" ")
        state, attempts = _PAGE_STATES[head[0]], int(head[1:].rstrip("a"))
        if state != "failed":
            return cls(number, state, attempts)
        code, _, message = rest.partition(" ")
        return cls(number, state, attempts, code, message)


@dataclass(frozen=True, slots=True)
class Step:
    """The outcome of a ledger step."""

    done: bool  # False: nothing was changed (a claim that is no longer live, a job in another state, ...)
    messages: list[Message] = field(default_factory=list)
    reply: Mapping[str, Any] = field(default_factory=dict)


def job_note(job: str, source: Source, options: Options, created: float) -> dict[str, Any]:
    """The content of a job's job.json in the spool: enough to create the job again if Redis loses its record.

    `created` is in seconds since 1970.
    """
    return {
        "version": names.VERSION,
        "job": job,
        "source": source.to_json(),
        "options": options.given(),
        "created": created,
    }
