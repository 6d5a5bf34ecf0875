"""A worker that serves `tesseract`: a scan in Russian, from the client to the result. Needs tesseract-ocr-rus."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from ocrqueue.engines.tesseract.settings import tesseract_settings
from tests.support.harness import Stack, running
from tests.support.scripts import PANGRAMS, scan_of

pytestmark = pytest.mark.needs("tesseract")

RU = PANGRAMS["ru"]


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    with running(OCR_CACHE_MAX_GB="1", OCR_WORKER_ENGINES="tesseract") as stack:
        stack.start_documents(children=1)
        stack.start_worker(engines="tesseract")
        yield stack


def test_a_scan_is_read_in_its_language_and_kept_in_the_page_cache(stack: Stack, tmp_path: Path) -> None:
    scan = scan_of(tmp_path / "scan.png", RU, RU)
    done = stack.submit("ocr", str(scan), "--lang", "rus", "-f", "json", "-o", str(tmp_path))
    assert done.returncode == 0, done.stderr
    (page,) = json.loads((tmp_path / "scan.json").read_text())["pages"]
    assert (page["engine"], page["model"], page["cached"]) == ("tesseract", "tesseract-5", False)
    assert [line["text"] for line in page["lines"]] == [RU, RU]
    assert all(0.8 < line["confidence"] <= 1 for line in page["lines"])
    again = stack.client().submit(scan, lang="rus").result()["pages"][0]
    assert (again["cached"], again["text"]) == (True, page["text"])
    assert not stack.client().submit(scan, lang="en").result()["pages"][0]["cached"]


def test_the_engine_is_listed_with_its_languages(stack: Stack) -> None:
    shown = stack.submit("engines")
    head, row = shown.stdout.splitlines()
    assert head.split() == ["ENGINE", "MODEL", "WORKERS", "CHILDREN", "LANGUAGES"]
    assert row.split()[:2] == ["tesseract", "tesseract-5"]
    (listed,) = map(json.loads, stack.submit("engines", "--json").stdout.splitlines())
    assert {"en", "ru"} <= set(listed["languages"])
    assert (len(listed["workers"]), listed["children"]) == (1, 1)


def test_a_language_without_data_is_refused_when_it_is_submitted(stack: Stack, tmp_path: Path) -> None:
    done = stack.submit("ocr", str(scan_of(tmp_path / "scan.png", RU)), "--lang", "en+tlh")
    assert done.returncode == 4
    assert "language_missing: no served engine reads tlh" in done.stderr
    assert stack.client().jobs() == [job for job in stack.client().jobs() if job.state == "done"]


@pytest.mark.thorough
def test_jobs_end_although_the_data_of_the_default_language_is_damaged(tmp_path: Path) -> None:
    installed = tesseract_settings().folder
    (tmp_path / "rus.traineddata").symlink_to(installed / "rus.traineddata")
    (tmp_path / "eng.traineddata").write_bytes((installed / "eng.traineddata").read_bytes()[:100_000])
    scan = scan_of(tmp_path / "scan.png", RU)
    with running(OCR_WORKER_ENGINES="tesseract", OCR_TESSDATA_DIR=str(tmp_path)) as stack:
        stack.start_documents(children=1)
        stack.start_worker(engines="tesseract")
        for options in (["--lang", "ru"], []):  # Russian needs the data of English for words in Latin letters
            done = stack.submit("ocr", str(scan), "--engine", "tesseract", *options, "--timeout", "40")
            assert done.returncode == 4, done.stderr
            assert "model_broken" in done.stderr
            assert f"cannot load its data for eng: install eng.traineddata in {tmp_path} again" in done.stderr
