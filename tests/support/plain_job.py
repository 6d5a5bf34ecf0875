"""The jobs of the plain ledger in `tests.support.ledger_model`: pages, lanes and claims as plain objects."""

from dataclasses import dataclass, field

LEASE, ATTEMPTS = 45, 3
WAIT, LONGEST, IDLE_WAIT = 60, 900, 20
DOCUMENT_FAULTS = {"corrupt_file", "too_large", "language_missing"}  # a retry mends none of them
OPERATOR_FAULTS = {"worker_lost", "timeout", "internal_error", "storage_error"}  # of a document, for `dead`
Sent = list[tuple[object, ...]]


@dataclass
class Page:
    """One page that was asked for."""

    number: int
    state: str = "open"
    lost: int = 0
    alone: bool = False  # never share a claim
    fresh: bool = True  # not claimed in any round
    code: str | None = None


@dataclass
class Lane:
    """One turn of a job in the queue."""

    serial: int = 0
    sent: int = 0  # when the ticket of this serial was sent; 0: not yet
    wait: int = WAIT
    token: str | None = None


@dataclass
class Held:
    """A live claim."""

    what: str  # document, assemble or page
    until: int
    lane: int = 0
    pages: list[Page] = field(default_factory=list)


@dataclass
class PlainJob:
    """All that is known of a job."""

    created: int
    number: int  # of creation
    priority: int = 6
    structuring: bool = False  # of another job: it is in no list of jobs, and none of its pages is dead
    state: str = "queued"
    round: int = 1
    cancelling: bool = False
    code: str | None = None
    pages: list[Page] = field(default_factory=list)
    lanes: list[Lane] = field(default_factory=list)
    width: int = 0
    claims: dict[str, Held] = field(default_factory=dict)
    lost: dict[str, int] = field(default_factory=dict)
    sent: dict[str, int] = field(default_factory=dict)
    wait: dict[str, int] = field(default_factory=dict)
    dead: bool = False  # the document itself
    confirmed: bool = True
    published: int = 0  # the last round whose end was published
    last: dict[str | int, tuple[str, str]] = field(default_factory=dict)  # slot: step and token of its last claim

    def count(self, *states: str) -> int:
        """How many pages are in one of these states."""
        return sum(page.state in states for page in self.pages)

    @property
    def running(self) -> bool:
        """Whether it is."""
        return self.state == "running"

    @property
    def has_ended(self) -> bool:
        """Whether its state is a final one."""
        return self.state not in ("queued", "running")

    @property
    def read_out(self) -> bool:
        """Whether no page is left to read."""
        return not self.count("open", "claimed")

    @property
    def backlog(self) -> int:
        """What it adds to the ledger's backlog."""
        return 10 if self.state == "queued" else self.count("open", "claimed") if self.running else 0
