"""Jobs that are dropped while they are read are answered with 404, whatever the moment. No worker runs."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from ocrqueue.client import Client, Job
from ocrqueue.states import ImageFormat
from ocrqueue.storage.page_images import PageImageFile
from ocrqueue.storage.spool import Spool
from ocrqueue.web.app import create_app
from ocrqueue.web.settings import web_settings
from tests.support.player import Reader

API, AZURE = "/api/v1/jobs", "/documentintelligence/documentModels/prebuilt-read/analyzeResults"
READING = [
    *(f"{API}/{{job}}/result?format={name}" for name in ("json", "text", "hocr", "pdf")),
    *(f"{API}/{{job}}/{what}" for what in ("document", "pages/1", "pages/1/image", "search?q=page")),
    f"{AZURE}/{{job}}", f"{AZURE}/{{job}}/pdf", "/v1/result/{job}", "/v1/files/{job}/content",
    "/jobs/{job}?page=1", "/jobs/{job}/pages/1",
]  # fmt: skip


@pytest.fixture
def job(client: Client) -> Job:
    """A job of two pages that was read, with its PDF and the image of its first page."""
    found = client.submit(b"abc", name="scan.pdf", structure=True)
    reader = Reader(client, found)
    reader.open(2)
    reader.read()
    image = PageImageFile.at_least(1, 1, None, ImageFormat.JPEG).name
    for name in (image, found.making("pdf").file):
        with client.spool._storage.writing(f"jobs/{found.id}", name, create=False) as draft:
            draft.file.write(b"abc")
    return found


@pytest.fixture
def http(client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[TestClient]:
    monkeypatch.setenv("OCR_API_KEYS", str(tmp_path / "keys.json"))
    with TestClient(create_app(web_settings(), client), base_url="http://127.0.0.1") as found:
        yield found


@pytest.mark.parametrize("path", READING)
def test_a_job_that_is_dropped_while_it_is_read_is_unknown(
    http: TestClient, job: Job, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    """It is dropped just before the first of its files is opened."""
    assert http.get(path.format(job=job.id)).status_code == 200

    def dropping(opens: Callable[..., object]) -> Callable[..., object]:
        def drop_first(*args: object) -> object:
            monkeypatch.undo()
            job.drop()
            return opens(*args)

        return drop_first

    for opens in (Spool.open_read_bytes, Spool.content, Spool.read_page):
        monkeypatch.setattr(Spool, opens.__name__, dropping(opens))
    answer = http.get(path.format(job=job.id))
    assert answer.status_code == 404, answer.text
