"""What the ledger returns: a job's record, a claim, and the messages that the caller sends afterwards."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ocrqueue import names
from ocrqueue.ledger.encoding import clean, shown_name
from ocrqueue.options import Options, select_pages
from ocrqueue.states import JobState, MessageKind, PageState

# the first letter of a value in the hash of a job's pages; see `lua/prelude.lua`
PAGE_LETTERS = {"c": PageState.CLAIMED, "o": PageState.OPEN, "x": PageState.CANCELLED, "f": PageState.FAILED}

AGAIN = "again"  # after such a letter: the page was read, and waits to be read by another engine


@dataclass(frozen=True, slots=True)
class Message:
    """A Celery message that the caller of a ledger step sends afterwards. A lost message is sent again later."""

    kind: MessageKind
    job: str  # the job's id
    args: tuple[int, ...] = ()  # page: lane and serial; assemble: round
    queue: str | None = None  # of the job's pages; None until the document is opened
    priority: int = 6  # Celery's priority on Redis: 0 is the highest, 9 the lowest
    name: str = ""  # the document's name, shown in Flower
    version: int = names.FIRST_VERSION  # of the job's record: a worker that cannot read it leaves the message alone


@dataclass(frozen=True, slots=True)
class Source:
    """The document of a job: a file in the spool, or a path or URL that a worker copies into the spool first."""

    name: str  # the document's name as it was submitted, see `shown_name`
    file: str | None = None  # "source-<sha256>" in the job's folder; None: not copied into the spool yet
    sha256: str | None = None  # of the bytes, in hexadecimal
    bytes: int | None = None  # length
    spec: Mapping[str, str] | None = None  # {"path": ...} or {"url": ...}: where the document comes from

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", shown_name(self.name))

    def to_json(self) -> dict[str, Any]:
        """The fields that are set, ready for JSON."""
        values = {"name": self.name, "file": self.file, "sha256": self.sha256, "bytes": self.bytes, "spec": self.spec}
        return {k: v for k, v in values.items() if v is not None}

    def dumps(self) -> str:
        """The JSON text that is stored in the job's record."""
        return json.dumps(self.to_json())


@dataclass(frozen=True, slots=True)
class Webhook:
    """The URL that is called when a job ends or one of its pages is finished; see `ocrqueue.webhooks.parameters`."""

    url: str  # http or https
    events: tuple[str, ...]  # values of `states.WebhookEvent`
    secret: str | None = field(default=None, repr=False)  # of the signatures, "whsec_..."; None: the workers' default

    def to_json(self) -> dict[str, Any]:
        """The fields that are set, ready for JSON."""
        values = {"url": self.url, "events": list(self.events), "secret": self.secret}
        return {k: v for k, v in values.items() if v is not None}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "Webhook":
        """The webhook of `to_json`."""
        return cls(values["url"], tuple(values["events"]), values.get("secret"))


@dataclass(frozen=True, slots=True)
class Submitter:
    """Who submitted a job, and whom to call about it."""

    owner: str | None = None  # name of the API key; None: a client without a key
    webhook: Webhook | None = None
    open_pages: int | None = None  # that the owner's jobs may have when this one is created; None: any number

    def to_json(self) -> dict[str, Any]:
        """The fields that are set and last, ready for JSON."""
        webhook = self.webhook and self.webhook.to_json()
        return {k: v for k, v in {"owner": self.owner, "webhook": webhook}.items() if v is not None}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "Submitter":
        """The submitter of `to_json`; other values are ignored."""
        webhook = values.get("webhook")
        return cls(values.get("owner"), Webhook.from_json(webhook) if webhook else None)


NOBODY = Submitter()  # of a job of which no owner is known, and that nobody is called about


@dataclass(frozen=True, slots=True)
class Job:
    """A job's record at the time when it was read."""

    id: str  # a UUID
    state: JobState
    round: int  # 1 at first; each retry adds 1
    source: Source
    options: Options
    created: float  # seconds since 1970
    opened: float | None  # seconds since 1970; None until the document is opened
    ended: float | None  # seconds since 1970; None until the round ends
    engine: str | None  # chosen when the document is opened; so are model, revision and queue
    model: str | None
    revision: str | None
    queue: str | None  # of the job's page messages
    pages: int | None  # number of pages asked for; None until the document is opened
    total: int | None  # number of pages of the document; None until the document is opened
    ok: int  # pages that were read
    failed: int  # pages
    cancelled: int  # pages
    cancelling: bool  # a client has asked to cancel the job
    code: str | None  # error code, if the document could not be opened or the job could not be assembled
    message: str | None  # the error's text, one line
    published: bool  # the round has ended, and its end has been published: clients see it
    lanes: int  # largest number of page messages in the queue at a time
    quality: float | None = None  # mean of the pages whose quality is known, 0 to 1; None: of none
    poorly_read: int = 0  # pages whose quality is below `POORLY_READ`
    first: Mapping[str, str] | None = None  # engine that read the pages before; None: none did. See `lua/prelude.lua`
    second: Mapping[str, str] | None = None  # engine and model that have read pages again; None: none have
    submitter: Submitter = NOBODY
    version: int = names.FIRST_VERSION  # of the record
    error: Mapping[str, str] | None = None  # once the end is published: code and message, also if pages failed
    structures: str | None = None  # the job whose structure this record finds; None: it is a job of its own

    @property
    def has_ended(self) -> bool:
        """Whether the job is in a final state."""
        return self.state.has_ended

    @property
    def finished(self) -> int:
        """Number of pages that are ok, failed or cancelled."""
        return self.ok + self.failed + self.cancelled

    @property
    def numbers(self) -> "PageNumbers":
        """Converts page indices of the ledger to page numbers of the document, and back."""
        return PageNumbers(self.options.pages, self.total or 0)

    @classmethod
    def parse(cls, job: str, record: Mapping[str, str], unpublished: bool = False) -> "Job":
        """The job of a Redis hash, as field names and values.

        `unpublished` says whether the job is in `names.UNPUBLISHED`. Workers of older versions only remove it from
        there when they have published the end.
        """
        opened, state = "n" in record, JobState(record["state"])
        graded, sum_, poor = map(int, record.get("quality", "0 0 0").split(" "))
        return cls(
            id=job,
            state=state,
            round=_count(record, "round"),
            source=Source(**json.loads(record["source"])),
            options=Options.parse(json.loads(record["options"])),
            created=float(record["created"]),
            opened=_number(record, "opened"),
            ended=_number(record, "ended"),
            engine=record.get("engine"),
            model=record.get("model"),
            revision=record.get("revision"),
            queue=record.get("queue"),
            pages=_count(record, "n") if opened else None,
            total=_count(record, "total") if opened else None,
            ok=_count(record, "ok"),
            failed=_count(record, "failed"),
            cancelled=_count(record, "cancelled"),
            cancelling="cancel" in record,
            code=record.get("code"),
            message=record.get("message"),
            published=state.has_ended and (not unpublished or _count(record, "published") == _count(record, "round")),
            lanes=_count(record, "width"),
            quality=round(sum_ / graded / 100, 2) if graded else None,
            poorly_read=poor,
            first=_decoded(record, "first"),
            second=_decoded(record, "second"),
            submitter=Submitter.from_json({"owner": record.get("owner"), "webhook": _decoded(record, "webhook")}),
            version=_count(record, "v"),
            error=_decoded(record, "error"),
            structures=record.get("structures"),
        )


def _number(record: Mapping[str, str], name: str) -> float | None:
    return float(record[name]) if name in record else None


def _count(record: Mapping[str, str], name: str) -> int:
    return int(record.get(name, 0))


def _decoded(record: Mapping[str, str], name: str) -> Any:
    return json.loads(record.get(name, "null"))


class PageNumbers:
    """Converts between page indices and page numbers.

    The ledger counts the pages asked for from 1; the document has page numbers of its own.
    """

    def __init__(self, pages: str | None, total: int) -> None:
        """`pages` is the job's option, such as "1-3,8"; `total` is the number of pages of the document."""
        self._all = pages is None
        self._total = total
        self._chosen = [] if pages is None or not total else select_pages(pages, total)
        self._index = {number: i for i, number in enumerate(self._chosen, 1)}

    def __contains__(self, number: int) -> bool:
        """Whether this page number was asked for. False before the document is opened."""
        return 1 <= number <= self._total if self._all else number in self._index

    def number(self, index: int) -> int:
        """The page number of the `index`-th page asked for; `index` counts from 1."""
        return index if self._all else self._chosen[index - 1]

    def index(self, number: int) -> int:
        """The index, counted from 1, of a page number among the pages asked for."""
        return number if self._all else self._index[number]


@dataclass(frozen=True, slots=True)
class ClaimedPage:
    """A page that a claim holds."""

    number: int  # of the document, from 1
    attempts: int  # how many earlier claims of this page were lost


@dataclass(frozen=True, slots=True)
class Claim:
    """Pages that a worker holds until the lease runs out. The worker renews the lease while it reads."""

    job: Job
    token: str  # identifies the claim; unique
    pages: tuple[ClaimedPage, ...]


@dataclass(frozen=True, slots=True)
class PageRecord:
    """What the ledger knows about one page."""

    number: int  # of the document, from 1
    state: PageState
    attempts: int = 0  # how many claims of this page were lost
    code: str | None = None  # error code of a failed page
    message: str | None = None  # error text of a failed page
    quality: float | None = None  # of a page that was read, 0 to 1; None: it is not known. See `ocrqueue.quality`

    @property
    def has_finished(self) -> bool:
        """Whether the page is ok, failed or cancelled."""
        return self.state not in (PageState.OPEN, PageState.CLAIMED)

    @classmethod
    def parse(cls, number: int, value: str) -> "PageRecord":
        """The page of a value in the hash of pages, such as "c0" or "f1 timeout it took too long".

        `lua/prelude.lua` describes the values.
        """
        head, _, rest = value.partition(" ")
        state, attempts = PAGE_LETTERS[head[0]], int(head[1:].rstrip("a"))
        if rest == AGAIN:
            return cls(number, PageState.OPEN)
        if state != PageState.FAILED:
            return cls(number, state, attempts)
        code, _, message = rest.partition(" ")
        return cls(number, state, attempts, code, message)


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a job ends whose pages are all finished."""

    state: JobState
    ok: int  # number of pages
    failed: int  # number of pages
    cancelled: int  # number of pages


@dataclass(frozen=True, slots=True)
class Publication:
    """What the end of a round leaves in Redis."""

    result: str  # Celery's result, as its backend stores it
    seconds: int  # for which the result is kept
    messages: Sequence[tuple[str, str]] = ()  # to tasks: Redis list and entry, as kombu writes them
    event: str = ""  # type of the webhook's event, from `states.WebhookEvent`
    data: str = ""  # its data, JSON
    error: Mapping[str, str] | None = None  # code and message of a job that failed


@dataclass(frozen=True, slots=True)
class Other:
    """Another engine, for pages that were poorly read, and how much it may read of a job."""

    queue: str
    engine: str
    model: str
    revision: str
    reads_as: str  # of the first engine: see `steps.page_cache_key`
    share: float  # of the job's pages, 0 to 1
    seconds: float  # from when every page was read once, in which it may begin a page


@dataclass(frozen=True, slots=True)
class Step:
    """The outcome of a ledger step."""

    done: bool  # False: nothing changed, because the claim is no longer live or the job is in another state
    messages: list[Message] = field(default_factory=list)  # to be sent by the caller
    reply: Mapping[str, Any] = field(default_factory=dict)  # the script's answer


@dataclass(frozen=True, slots=True)
class Creation:
    """A job that is to be created."""

    job: str  # its id
    source: Source
    options: Options
    round: int = 1  # more than 1 for a job that Redis lost in a later round
    submitter: Submitter = NOBODY
    structures: str | None = None  # id of an ended job: the record is a structuring of that job
    open_pages: int | None = None  # that all jobs may have; None: any number

    def args(self) -> tuple[object, ...]:
        """What the script is called with: the job, the fingerprint, limits, then the record's fields and values."""
        record = {
            "v": names.VERSION if self.structures else self.options.version,
            "source": self.source.dumps(),
            "options": json.dumps(self.options.given()),
            "name": clean(self.source.name)[:80],
            "priority": names.PRIORITIES[self.options.priority],
            "round": self.round,
        }
        if self.structures is not None:
            record["structures"] = self.structures
        if self.submitter.owner is not None:
            record["owner"] = self.submitter.owner
        if self.submitter.webhook:
            record["webhook"] = json.dumps(self.submitter.webhook.to_json())
        limits = self.open_pages, self.submitter.owner, self.submitter.open_pages
        return (
            self.job,
            fingerprint(self.source, self.options),
            *("" if limit is None else limit for limit in limits),
            *(item for pair in record.items() for item in pair),
        )


@dataclass(frozen=True, slots=True)
class Mending:
    """What the reconciler knows about a job that it looks at."""

    job: str
    lanes: int  # wanted; 0: no live worker serves the job's queue
    queue_empty: bool  # whether no message is in the job's list of its queue
    documents_empty: bool  # whether no message is in its list of the documents queue
    patience: float  # seconds without a worker after which open pages fail
    unserved: float | None = None  # since when no worker serves the queue, in seconds since 1970; None: not known
    paused: str | None = None  # why the queue's workers take none, if there are workers

    def args(self) -> tuple[object, ...]:
        """What the script is called with."""
        empty = int(self.queue_empty), int(self.documents_empty)
        unserved = "" if self.unserved is None else self.unserved
        return self.job, self.lanes, *empty, self.patience, unserved, self.paused or ""


def fingerprint(source: Source, options: Options) -> str:
    """A text that is equal for two submissions of the same document (or URL) with the same options.

    The structure does not matter: it can be found later.
    """
    what = source.sha256 or json.dumps(source.spec, sort_keys=True)
    return json.dumps([what, replace(options, structure=False).given()], sort_keys=True)


def job_note(
    job: str, source: Source, options: Options, created: float, submitter: Submitter = NOBODY
) -> dict[str, Any]:
    """The content of a job's job.json in the spool: enough to create the job again if Redis loses its record.

    `created` is in seconds since 1970.
    """
    return {
        "version": options.version,
        "job": job,
        "source": source.to_json(),
        "options": options.given(),
        "created": created,
        **submitter.to_json(),
    }
