"""The documents that the arguments of a command name."""

from pathlib import Path

import click
import pillow_heif
import pytest
from PIL import Image

from ocrqueue.cli.sources import EXTENSIONS, expand
from ocrqueue.documents import open_document
from ocrqueue.limits import Limits


def touch(*names: str) -> None:
    for name in names:
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_bytes(b"x")


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_documents_of_a_folder_are_sorted_and_skipped_files_are_printed(capsys: pytest.CaptureFixture[str]) -> None:
    touch("in/b.pdf", "in/a.PNG", "in/.hidden.pdf", "in/notes.txt", "in/sub/c.pdf")
    assert [str(e.path) for e in expand(["in"], recursive=False)] == ["in/a.PNG", "in/b.pdf"]
    (line,) = capsys.readouterr().err.splitlines()
    assert all(name in line for name in ("in/sub/", "in/.hidden.pdf", "in/notes.txt", "-r reads subfolders"))


def test_recursion_reads_subfolders_but_no_hidden_ones() -> None:
    touch("in/b.pdf", "in/sub/c.pdf", "in/.git/d.pdf")
    assert [str(e.path) for e in expand(["in"], recursive=True)] == ["in/b.pdf", "in/sub/c.pdf"]


@pytest.mark.parametrize("extension", sorted(EXTENSIONS))
def test_workers_can_open_every_kind_of_file_that_is_collected_from_a_folder(extension: str) -> None:
    pillow_heif.register_heif_opener()
    Image.init()
    file = Path("a" + extension)
    Image.new("RGB", (64, 64)).save(file)
    with open_document(file, Limits()) as document:
        assert document.page_count == 1


def test_a_kind_of_image_that_workers_refuse_is_skipped(capsys: pytest.CaptureFixture[str]) -> None:
    touch("in/a.pdf", "in/b.pgm", "in/c.ppm", "in/d.pnm", "in/e.pbm")
    assert [str(e.path) for e in expand(["in"], recursive=False)] == ["in/a.pdf"]
    assert "in/b.pgm" in capsys.readouterr().err


def test_a_named_file_needs_no_extension() -> None:
    touch("no_extension", "-odd name.pdf")
    assert [e.stem for e in expand(["no_extension", "./-odd name.pdf"], recursive=False)] == [
        "no_extension",
        "-odd name",
    ]


def test_urls_and_standard_input_have_names() -> None:
    entries = expand(["https://me:se@cret@host.example/a%20b.pdf?x=1", "-", "http://host.example"], recursive=False)
    assert [entry.stem for entry in entries] == ["a b", "stdin", "host"]
    assert entries[0].shown == "https://host.example/a%20b.pdf?x=1"


def test_an_empty_name_is_no_folder() -> None:
    with pytest.raises(click.UsageError, match="no name"):
        expand([""], recursive=True)
