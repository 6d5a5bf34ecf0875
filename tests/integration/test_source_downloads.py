"""Object storage: a machine downloads a document once per job, and keeps no copy longer than it needs it."""

import io
import os
import signal
import stat
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from ocrqueue.client import Client
from tests.support import counted_storage, numbered
from tests.support.harness import Stack, eventually, running

QUICK = "quick=tests.support.engines:Quick"
STEADY = "steady=tests.support.engines:Steady"


class ObjectStack(Stack):
    """A stack whose spool is object storage. Its page workers have their own data folder, like another machine."""

    def __init__(self, folder: Path, **env: str) -> None:
        super().__init__(folder, **env)
        self.url = f"counted://{folder}/objects"
        self.pages = folder / "pages"  # the page workers' data folder
        self.downloads_file = folder / "downloads"
        self.env |= {"OCR_SPOOL_URL": self.url, "TEST_DOWNLOADS": str(self.downloads_file)}

    def _celery(self, *args: str) -> list[str]:
        return ["tests.support.counted_app" if part == "tasks.app" else part for part in super()._celery(*args)]

    def client(self, **changes: object) -> Client:
        return super().client(**{"spool": self.url, **changes})

    def start_page_worker(self, engines: str = QUICK, children: int = 3) -> None:
        self.start_worker(engines=engines, children=children, OCR_DATA_DIR=str(self.pages))

    def downloads(self) -> Counter[str]:
        """The number of downloads of sources since the last call, by the name of the data folder."""
        lines = self.downloads_file.read_text().splitlines() if self.downloads_file.exists() else []
        self.downloads_file.unlink(missing_ok=True)
        return Counter(Path(folder).name for folder, name in map(str.split, lines) if name.startswith("source-"))

    def copies(self) -> list[Path]:
        """Copies of documents on both machines."""
        folders = [self.folder / "data" / "sources", self.pages / "sources"]
        files = [file for folder in folders if folder.exists() for file in folder.iterdir()]
        return [file for file in files if file.suffix != ".lock" and file.name != ".workers"]

    def copy(self, job: str) -> Path | None:
        """The page workers' copy of a job's document."""
        found = (file for file in self.copies() if file.name.startswith(job) and file.suffix != ".part")
        return next((file for file in found if self.pages in file.parents), None)


@pytest.fixture(scope="module")
def stack() -> Iterator[ObjectStack]:
    assert counted_storage  # the client of this process uses its protocol
    with running(ObjectStack, OCR_LEASE_SECONDS="4") as stack:
        os.environ["TEST_DOWNLOADS"] = str(stack.downloads_file)
        stack.start_documents()
        yield stack


def test_each_machine_downloads_a_document_once_per_job(stack: ObjectStack) -> None:
    stack.start_page_worker()
    for salt in (1, 2):
        job = stack.client().submit(numbered.document(8, salt=salt), formats=["pdf"])
        assert job.wait(timeout=60).state == "done"
        assert [page["text"] for page in job.result()["pages"]] == [numbered.text(n) for n in range(1, 9)]
        made = io.BytesIO()
        job.write("pdf", made, timeout=60)
        assert made.getvalue().startswith(b"%PDF")
        assert stack.downloads() == {"data": 1, "pages": 1}
    eventually(lambda: not stack.copies(), 60)
    stack.kill("worker", signal.SIGTERM)


@pytest.mark.thorough
def test_a_key_that_is_used_again_reads_its_new_document(stack: ObjectStack) -> None:
    stack.start_page_worker()
    for pages in (3, 5):  # both jobs have the same id, and the first copy may still be there
        job = stack.client().submit(numbered.document(pages, salt=9), key="invoice")
        assert job.wait(timeout=60).state == "done"
        assert [page["text"] for page in job.result()["pages"]] == [numbered.text(n) for n in range(1, pages + 1)]
        job.drop()
    stack.kill("worker", signal.SIGTERM)


@pytest.mark.thorough
def test_a_worker_that_is_stopped_leaves_no_copy(stack: ObjectStack) -> None:
    stack.start_page_worker(STEADY)
    job = stack.client().submit(numbered.document(20, salt=3))
    eventually(lambda: stack.copy(job.id))
    assert stat.S_IMODE((stack.pages / "sources").stat().st_mode) == 0o700
    stack.kill("worker", signal.SIGTERM)
    assert job.status().state == "running"
    assert [file for file in stack.copies() if stack.pages in file.parents] == []
    job.cancel()


@pytest.mark.thorough
def test_a_worker_that_was_killed_leaves_a_copy_until_the_next_start(stack: ObjectStack) -> None:
    stack.start_page_worker(STEADY)
    job = stack.client().submit(numbered.document(20, salt=4))
    copy = eventually(lambda: stack.copy(job.id))
    children = stack.children("worker")
    stack.kill("worker")
    eventually(lambda: not any(Path(f"/proc/{pid}").exists() for pid in children))
    assert copy in stack.copies()
    job.cancel()
    stack.start_page_worker(STEADY)
    assert copy not in stack.copies()
    stack.kill("worker", signal.SIGTERM)


@pytest.mark.thorough
def test_a_spool_in_a_folder_is_read_where_it_is() -> None:
    with running() as stack:
        stack.start_documents(children=1)
        stack.start_worker()
        job = stack.client().submit(numbered.document(2), formats=["pdf"])
        assert job.wait(timeout=60).state == "done"
        assert not (stack.folder / "data" / "sources").exists()
