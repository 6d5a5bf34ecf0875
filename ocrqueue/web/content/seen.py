"""Which pages of a job a client of its events has got. The id of each event says it, so no process remembers it.

An id is `<round>;<finished>;<unread>`: the round, the pages that were sent, and those of them that were sent as failed
or cancelled, both as ranges such as `1-57,60`. A retry reads only the latter again. The last event adds `;end`.
"""

from dataclasses import dataclass, field

from ocrqueue.ledger import PageRecord
from ocrqueue.page_set import PageSet
from ocrqueue.states import PageState
from ocrqueue.web.problems import ApiError

_END = "end"


@dataclass(slots=True)
class Seen:
    """What a client has got of a job."""

    round: int = 0  # 0: nothing
    finished: PageSet = field(default_factory=PageSet)  # pages in any final state
    unread: PageSet = field(default_factory=PageSet)  # those of them that failed or were cancelled
    has_ended: bool = False  # the end of the round, too

    @classmethod
    def parse(cls, id: str | None) -> "Seen":
        """What the id of a client's last event says. Raises ApiError for an id that no event has."""
        if not id:
            return cls()
        try:
            round, finished, unread, *end = id.split(";")
            if end not in ([], [_END]):
                raise ValueError
            return cls(int(round), PageSet.parse(finished), PageSet.parse(unread), bool(end))
        except ValueError:
            raise ApiError(
                "invalid_request", "Last-Event-ID or after: this is not the id of an event of a job; leave it out"
            ) from None

    def __str__(self) -> str:
        return ";".join([str(self.round), str(self.finished), str(self.unread), *[_END] * self.has_ended])

    def enter(self, round: int) -> None:
        """Go on in a round: in a new one, pages that were not read before are awaited again."""
        if round != self.round:
            read = self.finished.without(self.unread)
            self.round, self.finished, self.unread, self.has_ended = round, read, PageSet(), False

    def take(self, page: PageRecord) -> bool:
        """Note that a page is sent. False if the client has got it before."""
        if page.number in self.finished:
            return False
        self.finished.add(page.number)
        if page.state != PageState.OK:
            self.unread.add(page.number)
        return True
