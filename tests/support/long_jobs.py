"""Jobs of very many pages or lines that have ended, made without workers."""

import json
import os
from threading import Lock
from typing import Any
from uuid import uuid4

from ocrqueue.client import Client
from ocrqueue.formats import FORMATS
from ocrqueue.ledger import Publication
from ocrqueue.states import JobState
from ocrqueue.steps.end import publish_end, record_end
from ocrqueue.storage import results
from ocrqueue.storage.results import write_result
from ocrqueue.storage.spool import output_name
from tests.support.two_pages import READ, block, line

WORDS = "the of and invoice total amount report section value house garden reader paper water night letter".split()


def page(number: int, lines: int) -> dict[str, Any]:
    """A page of a result, with a heading and paragraphs of ten lines."""
    texts = [" ".join(WORDS[(number + index + i) % len(WORDS)] for i in range(4)) for index in range(lines)]
    texts[0] = f"Page {number}"
    shown = [{**line(text, 10, 20 * i, 300, 20 * i + 15), "words": None} for i, text in enumerate(texts)]
    parts = [texts[1 + at : 11 + at] for at in range(0, lines - 1, 10)]
    blocks = [{**block("heading", texts[0], 10, 0, 300, 15, level=1), "lines": [0]}]
    for at, part in enumerate(parts):
        numbers = range(1 + 10 * at, 1 + 10 * at + len(part))
        blocks.append({**block("paragraph", " ".join(part), 10, 20, 300, 200), "lines": list(numbers)})
    more = {"cached": False, "engine": "e", "model": "m", "revision": "1", "rotation": 0, "transform": None}
    more |= {"quality": 0.9, "seconds": 0.1, "attempts": 0, "memory": dict(results.NO_MEMORY), "warnings": []}
    text = "\n\n".join([texts[0], *("\n".join(part) for part in parts)])
    markdown = "\n\n".join([f"# {texts[0]}", *(" ".join(part) for part in parts)])
    about = {"page": number, "text": text, "markdown": markdown, "lines": shown, "blocks": blocks, "readings": []}
    return {**READ, **more, **about}


class LongJob:
    """A job that has ended, and copies of it."""

    def __init__(self, client: Client, pages: int, lines: int, name: str = "long.pdf") -> None:
        self._client = client
        self._pages = pages
        self._spool = client.spool
        self._lock = Lock()  # so that no two threads end the same job
        self.id = self.submitted(name)
        folder = self._folder(self.id)
        (folder / "pages").mkdir()
        made = [json.dumps(page(number, lines), ensure_ascii=False) for number in range(1, pages + 1)]
        for number, text in enumerate(made, 1):
            (folder / "pages" / f"{number:06d}.json").write_text(text)
        header = results.result_header(
            job=self.id, state="done", source={"name": name, "sha256": "0" * 64, "bytes": 8, "pages": pages},
            options={}, counts={"ok": pages, "failed": 0, "cancelled": 0}, seconds=1.0, structure=True,
        )  # fmt: skip
        with self._spool.open_write(self.id, "result-1.json") as file:
            write_result(file, header, map(json.loads, made))
        with self._spool.open_write_bytes(self.id, output_name(FORMATS["pdf"].extension, 1)) as output:
            output.write(b"%PDF-1.7 " * 1_000_000)
        with self._spool.open_write_bytes(self.id, "image-1-000001-full.jpeg") as image:
            image.write(b"x" * 1_000_000)
        self.end(self.id)

    def copy(self) -> str:
        """The id of another job with the same pages."""
        with self._lock:
            job = self.submitted("copy.pdf")
            self.end(job)
        return job

    def end(self, job: str) -> None:
        """End a job that waits to be opened, with the same pages, as workers would."""
        ledger, spool = self._client.ledger, self._spool
        self.read(job)
        assert ledger.begin(job, "assemble", "assembler", 1)
        ledger.end(job, 1, "assembler")
        if job != self.id:
            os.link(self._folder(self.id) / "result-1.json", self._folder(job) / "result-1.json")
        end = publish_end(job, ledger, lambda *_: Publication("result", 60, (), "", ""))
        assert end
        record_end(end, ledger, spool)

    def read(self, job: str) -> None:
        """Open a job that waits to be opened, with the same pages, all of them read; it has not ended."""
        ledger = self._client.ledger
        assert ledger.begin(job, "document", "opener")
        about = {"total": self._pages, "engine": "e", "model": "m", "revision": "1", "queue": "pages.e"}
        ledger.open(job, "opener", self._pages, 1, about, dict.fromkeys(range(1, self._pages + 1), 0.9))
        if job != self.id:
            (self._folder(job) / "pages").symlink_to(self._folder(self.id) / "pages")

    def end_new(self) -> int:
        """End the jobs that wait to be opened; returns how many there were."""
        with self._lock:
            waiting = [job for job in self._client.jobs() if job.state == JobState.QUEUED]
            for job in waiting:
                self.end(job.id)
        return len(waiting)

    def submitted(self, name: str) -> str:
        """The id of a new job, which waits to be opened."""
        job = str(uuid4())
        handle = self._client.submit_as(job, b"document", name=name, structure=True)
        return handle.id

    def _folder(self, job: str) -> Any:
        return self._client.settings.data_dir / "spool" / "jobs" / job
