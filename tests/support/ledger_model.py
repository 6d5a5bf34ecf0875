"""What the ledger has to do, as plain Python: no Redis, no scripts, no clever storage. Slow, and easy to read.

A page is an object with a state, a job a list of pages; every step changes them one by one and returns the messages
that it asks for, as `(kind, *arguments)`. Times are whole seconds.
"""

from collections.abc import Sequence

from tests.support.plain_job import (
    ATTEMPTS,
    DOCUMENT_FAULTS,
    IDLE_WAIT,
    LEASE,
    LONGEST,
    OPERATOR_FAULTS,
    WAIT,
    Held,
    Lane,
    Page,
    PlainJob,
    Sent,
)

DOCUMENTS, PAGES = "documents", "pages.rapidocr"


class PlainLedger:
    """The ledger over several jobs; `now` is set from outside."""

    def __init__(self, now: int) -> None:
        self.now = now
        self.jobs: dict[str, PlainJob] = {}
        self.made = 0
        self.taken: dict[str, int] = {}  # by list: when the last of its messages was sent that came

    # -- pieces ----------------------------------------------------------------------------------------------------
    def _announce(self, job: PlainJob, what: str) -> Sent:
        job.sent[what] = self.now
        return [(what,) if what == "document" else (what, job.round)]

    def _note_taken(self, job: PlainJob, queue: str, sent: int, wait: int) -> None:
        if wait == WAIT and sent < self.now:
            where = f"{queue} {job.priority}"
            self.taken[where] = max(self.taken.get(where, 0), sent)

    def _assembly(self, job: PlainJob) -> Sent:
        return self._announce(job, "assemble") if job.running and job.read_out else []

    def _ticket(self, job: PlainJob, i: int) -> Sent:
        serial = job.lanes[i].serial + 1
        goes = bool(job.count("open")) and i < job.width
        job.lanes[i] = Lane(serial, self.now if goes else 0)
        return [("page", i, serial)] if goes else []

    def _end(self, job: PlainJob, state: str, code: str | None = None) -> Sent:
        job.state, job.code, job.confirmed = state, code, False
        job.dead = job.dead or code in OPERATOR_FAULTS
        return [("ended",)]

    @staticmethod
    def _fail(page: Page, code: str) -> None:
        page.state, page.code = "failed", code

    @staticmethod
    def _reopen(job: PlainJob, page: Page, alone: bool) -> None:
        page.state, page.alone = ("cancelled", page.alone) if job.cancelling else ("open", alone)

    def _take(self, name: str, step: str, token: str, what: str | None) -> tuple[PlainJob, Held] | None:
        job = self.jobs.get(name)
        held = job.claims.get(token) if job else None
        if job is None or held is None or what not in (None, held.what):
            return None
        del job.claims[token]
        job.last[held.lane if held.what == "page" else held.what] = (step, token)
        return job, held

    def again(self, name: str, step: str, token: str) -> Sent | None:
        """What a step sends that is asked for again; None: it was not this step that ended the claim."""
        job = self.jobs.get(name)
        slots = [slot for slot, noted in job.last.items() if noted == (step, token)] if job else []
        if job is None or token in job.claims or not slots:
            return None
        slot = slots[-1]
        if job.has_ended:
            return [] if isinstance(slot, int) else [("ended",)]
        if job.state == "queued":
            return [("document",)]
        if job.read_out:
            return [("assemble", job.round)]
        lanes = [slot] if isinstance(slot, int) else range(len(job.lanes))
        free = [i for i in lanes if job.lanes[i].token is None and job.lanes[i].sent and job.count("open")]
        return [("page", i, job.lanes[i].serial) for i in free]

    # -- the document and its assembly -----------------------------------------------------------------------------
    def create(self, name: str, structuring: bool = False, priority: int = 6) -> Sent:
        """A new job, or a structuring of one; nothing where it is known."""
        if name in self.jobs:
            return []
        self.made += 1
        self.jobs[name] = PlainJob(self.now, self.made, priority, structuring, wait={"document": WAIT})
        return self._announce(self.jobs[name], "document")

    def begin(self, name: str, what: str, token: str, round_: int, alone: bool) -> bool | None:
        """Claim the document or the assembly. None: only for who does nothing else."""
        job = self.jobs.get(name)
        if job is None or any(held.what == what for held in job.claims.values()):
            return False
        wanted = job.state == "queued"
        if what == "assemble":
            wanted = job.running and job.read_out and round_ == job.round
        if wanted and not alone and job.lost.get(what, 0) == ATTEMPTS - 1:
            return None
        if wanted:
            job.claims[token] = Held(what, self.now + LEASE)
            self._note_taken(job, DOCUMENTS, job.sent[what], job.wait.get(what, WAIT))
        return wanted

    def open(self, name: str, token: str, numbers: list[int], lanes: int, read: Sequence[int] = ()) -> Sent | None:
        """The pages become known, some of them read already. None: no live claim."""
        if (taken := self._take(name, "open", token, "document")) is None:
            return self.again(name, "open", token)
        job, _ = taken
        job.state, job.width = "running", min(lanes, len(numbers))
        job.pages = [Page(n, "cancelled" if job.cancelling else "open") for n in numbers]
        if job.cancelling:
            return self._assembly(job)
        for page in job.pages:
            page.fresh = page.number > max(read, default=0)
            page.state = "ok" if page.number in read else "open"
        if job.read_out:
            return self._assembly(job)
        job.lanes = [Lane(0, self.now) for _ in range(job.width)]
        return [("page", i, 0) for i in range(job.width)]

    def refuse(self, name: str, token: str, code: str) -> Sent | None:
        """The document cannot be opened. None: no live claim."""
        taken = self._take(name, "refuse", token, "document")
        return self._end(taken[0], "failed", code) if taken else self.again(name, "refuse", token)

    def end(self, name: str, round_: int, token: str, missing: list[int]) -> Sent | None:
        """The assembly's last word. None: no live claim, or an old round."""
        job = self.jobs.get(name)
        if job is None or round_ != job.round or not job.read_out:
            return None
        if (taken := self._take(name, "end", token, "assemble")) is None:
            return self.again(name, "end", token)
        for page in taken[0].pages:
            if page.number in missing and page.state == "ok":
                page.lost = 0
                self._fail(page, "storage_error")
        if job.cancelling and job.count("cancelled"):
            return self._end(job, "cancelled")
        ok = job.count("ok")
        return self._end(job, "done" if ok == len(job.pages) else "partial" if ok else "failed")

    # -- pages -----------------------------------------------------------------------------------------------------
    def claim(
        self, name: str, i: int, serial: int, token: str, batch: int, children: int, alone: bool
    ) -> list[tuple[int, int]] | None:
        """The (number, lost claims) of the pages that a ticket gets. None: only for who reads nothing else."""
        job = self.jobs.get(name)
        if job is None or not job.running or i >= len(job.lanes):
            return []
        lane = job.lanes[i]
        if lane.serial != serial or lane.token is not None:
            return []
        waiting = sorted((p for p in job.pages if p.state == "open"), key=lambda p: (p.fresh, p.number))
        if waiting and not alone and waiting[0].lost == ATTEMPTS - 1:
            return None
        share = -(-len(waiting) // children)
        got: list[Page] = []
        for page in waiting[: max(1, min(batch, share))]:
            solitary = page.lost > 0 or page.alone
            if solitary and got:
                break
            got.append(page)
            if solitary:
                break
        if got:
            self._note_taken(job, PAGES, lane.sent, lane.wait)
            lane.token = token
            job.claims[token] = Held("page", self.now + LEASE, i, got)
        for page in got:
            page.state, page.fresh = "claimed", False
        return [(page.number, page.lost) for page in got]

    def finish(self, name: str, token: str, results: dict[int, str | None]) -> Sent | None:
        """Pages are read (None) or failed with a code; those without a result go back. None: no live claim."""
        if (taken := self._take(name, "finish", token, "page")) is None:
            return self.again(name, "finish", token)
        job, held = taken
        for page in held.pages:
            if page.number not in results:
                self._reopen(job, page, alone=True)
            elif (code := results[page.number]) is None:
                page.state, page.lost, page.alone = "ok", 0, False
            else:
                self._fail(page, code)
        return self._assembly(job) + self._ticket(job, held.lane)

    def return_claim(self, name: str, token: str, how: str) -> Sent | None:
        """A claim ends without a result: release, lost, expired or timeout. None: no live claim."""
        job = self.jobs.get(name)
        if job and token in job.claims and how == "expired" and job.claims[token].until > self.now:
            return None
        if (taken := self._take(name, "return_claim", token, None)) is None:
            return self.again(name, "return_claim", token)
        job, held = taken
        if held.what != "page":
            return self._return_task(job, held.what, how)
        for page in held.pages:
            self._return_page(job, page, how, len(held.pages))
        return self._assembly(job) + self._ticket(job, held.lane)

    def _return_task(self, job: PlainJob, what: str, how: str) -> Sent:
        job.lost[what] = job.lost.get(what, 0) + (how != "release")
        if how == "timeout" and what == "document":
            return self._end(job, "failed", "timeout")
        if job.lost[what] >= ATTEMPTS:
            return self._end(job, "failed", "worker_lost")
        return self._announce(job, what)

    def _return_page(self, job: PlainJob, page: Page, how: str, size: int) -> None:
        if how == "release":
            self._reopen(job, page, page.alone)
        elif how == "timeout":
            if size == 1:
                self._fail(page, "timeout")
            else:
                self._reopen(job, page, alone=True)
        else:
            page.lost += 1
            if page.lost >= ATTEMPTS:
                self._fail(page, "worker_lost")
            else:
                self._reopen(job, page, alone=True)

    def renew(self, name: str, token: str) -> None:
        """A live claim lasts another lease."""
        job = self.jobs.get(name)
        if job and token in job.claims:
            job.claims[token].until = self.now + LEASE

    # -- from outside ----------------------------------------------------------------------------------------------
    def cancel(self, name: str) -> tuple[bool, Sent]:
        """Whether there was anything to stop."""
        job = self.jobs[name]
        if job.has_ended or (job.running and job.read_out):
            return False, []
        job.cancelling = True
        if job.state == "queued":
            job.wait["document"] = 2 * WAIT
            return True, self._announce(job, "document")
        for page in job.pages:
            if page.state == "open":
                page.state = "cancelled"
        return True, self._assembly(job)

    def retry(self, name: str) -> Sent | None:
        """A new round. None: not to be had."""
        job = self.jobs[name]
        if job.state not in ("partial", "failed", "cancelled"):
            return None
        job.round, job.cancelling, job.confirmed, job.dead, job.code = job.round + 1, False, True, False, None
        job.lost = {}
        job.sent.pop("assemble", None)
        job.wait = {"document": WAIT if not job.pages else job.wait["document"]}
        if not job.pages:
            job.state = "queued"
            return self._announce(job, "document")
        job.state = "running"
        for page in job.pages:
            if page.state in ("failed", "cancelled"):
                page.state, page.lost, page.alone, page.code = "open", 0, False, None
        while len(job.lanes) < min(job.width, job.count("open")):
            job.lanes.append(Lane(-1))
        sent = [message for i in range(len(job.lanes)) for message in self._ticket(job, i)]
        return sent + self._assembly(job)

    def drop(self, name: str) -> bool:
        """Forget an ended job."""
        if not self.jobs[name].has_ended:
            return False
        del self.jobs[name]
        return True

    def publish(self, name: str, round_: int) -> bool | None:
        """Whether this is the first time that the end of the round is published. None: it is not to be published."""
        job = self.jobs.get(name)
        if job is None or not job.has_ended or job.round != round_:
            return None
        first, job.published = job.published != round_, round_
        return first

    def confirm_end(self, name: str) -> None:
        """Nothing is left to do for the end."""
        if name in self.jobs:
            self.jobs[name].confirmed = True

    # -- mending ---------------------------------------------------------------------------------------------------
    def _is_lost(self, job: PlainJob, queue: str, sent: int, idle: bool) -> bool:
        taken = self.now if idle else self.taken.get(f"{queue} {job.priority}", 0)
        return taken - sent >= IDLE_WAIT

    def mend(
        self, name: str, wanted: int, idle: bool, documents_idle: bool, patience: int, unserved: int | None
    ) -> Sent:
        """Send again what seems lost, and fit the lanes to the workers."""
        job = self.jobs.get(name)
        if job is None or job.has_ended:
            return []
        if job.state == "queued":
            return self._mend_task(job, "document", documents_idle)
        if job.read_out:
            return self._mend_task(job, "assemble", documents_idle)
        if wanted == 0:
            return self._unserved(job, patience, unserved)
        job.width = min(wanted, len(job.pages))
        while len(job.lanes) < job.width:
            job.lanes.append(Lane())
        return [m for i in range(job.width) for m in self._mend_lane(job, i, idle)]

    def _mend_task(self, job: PlainJob, what: str, idle: bool) -> Sent:
        wait = job.wait.get(what, WAIT)
        if any(held.what == what for held in job.claims.values()):
            return []
        if not self._is_lost(job, DOCUMENTS, job.sent[what], idle):
            return []
        job.wait[what] = min(2 * wait, LONGEST)
        return self._announce(job, what)

    def _mend_lane(self, job: PlainJob, i: int, idle: bool) -> Sent:
        lane = job.lanes[i]
        if lane.token is not None or not job.count("open"):
            return []
        if lane.sent:
            if not self._is_lost(job, PAGES, lane.sent, idle):
                return []
            lane.wait = min(2 * lane.wait, LONGEST)
        lane.sent = self.now
        return [("page", i, lane.serial)]

    def _unserved(self, job: PlainJob, patience: int, unserved: int | None) -> Sent:
        waiting = [lane.sent for lane in job.lanes if lane.sent and lane.token is None]
        if unserved is None or not job.count("open"):
            return []
        if self.now - max(unserved, min(waiting, default=0)) < patience:
            return []
        for page in job.pages:
            if page.state == "open":
                page.fresh = False
                self._fail(page, "model_missing")
        return self._assembly(job)

    def waiting(self) -> dict[str, dict[str, int]]:
        """By list of messages: the jobs with a message in it that is still wanted, and when the oldest was sent."""
        found: dict[str, dict[str, int]] = {}
        for name, job in self.jobs.items():
            what = "document" if job.state == "queued" else "assemble"
            if not job.has_ended and (what == "document" or job.read_out):
                if not any(held.what == what for held in job.claims.values()):
                    found.setdefault(f"{DOCUMENTS} {job.priority}", {})[name] = job.sent[what]
            elif not job.has_ended and job.count("open"):
                sent = [lane.sent for lane in job.lanes[: job.width] if lane.sent and lane.token is None]
                if sent:
                    found.setdefault(f"{PAGES} {job.priority}", {})[name] = min(sent)
        return found

    # -- looking ---------------------------------------------------------------------------------------------------
    def dead(self) -> set[tuple[str, int]]:
        """(job, page) that a retry might mend; page 0 is the document."""
        pages = {
            (name, page.number)
            for name, job in self.jobs.items()
            for page in job.pages
            if page.state == "failed" and page.code not in DOCUMENT_FAULTS and not job.structuring
        }
        return pages | {(name, 0) for name, job in self.jobs.items() if job.dead and not job.structuring}

    def backlog(self) -> int:
        """Open pages of all jobs, ten for each that is not opened."""
        return sum(job.backlog for job in self.jobs.values())
