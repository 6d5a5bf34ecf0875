"""The output files of documents."""

import os
import stat
from pathlib import Path

import click
import pytest

from ocrqueue.cli.outputs import plan, whole_file
from ocrqueue.cli.sources import Entry, expand


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def touch(*names: str) -> None:
    for name in names:
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_bytes(b"x")


def test_a_url_cannot_name_a_file_elsewhere() -> None:
    (entry,) = expand(["https://host.example/..%2F..%2Fetc%2Fpasswd"], recursive=False)
    (files,) = plan([entry], ["text"], Path("out"))
    assert files["text"].parent == Path("out")


def test_each_format_has_its_extension() -> None:
    (files,) = plan([Entry("a.b.pdf", Path("a.b.pdf"))], ["text", "markdown", "json", "jsonl"], Path("out"))
    assert [str(path) for path in files.values()] == ["out/a.b.txt", "out/a.b.md", "out/a.b.json", "out/a.b.jsonl"]


def test_two_sources_for_one_file_are_refused_also_through_a_link() -> None:
    touch("x/a.pdf", "y/a.png")
    with pytest.raises(click.UsageError, match="both be written"):
        plan(expand(["x", "y"], recursive=False), ["text"], Path())
    Path("a.txt").symlink_to("x/a.pdf")
    with pytest.raises(click.UsageError, match="is a source"):
        plan([Entry("x/a.pdf", Path("x/a.pdf"))], ["text"], Path())


def test_files_of_subfolders_go_to_subfolders() -> None:
    touch("in/a.pdf", "in/x/a.pdf", "in/x/y/a.pdf")
    files = plan(expand(["in"], recursive=True), ["text"], Path("out"))
    assert [str(path["text"]) for path in files] == ["out/a.txt", "out/x/a.txt", "out/x/y/a.txt"]


def test_sources_of_the_same_name_never_overwrite_each_other() -> None:
    touch("in/x/a.pdf", "in/x/a.png", "other/x/a.pdf", "f/a.pdf", "f/a.txt/b.pdf")
    with pytest.raises(click.UsageError, match="both be written"):
        plan(expand(["in"], recursive=True), ["text"], Path("out"))
    Path("in/x/a.png").unlink()
    with pytest.raises(click.UsageError, match="both be written"):
        plan(expand(["in", "other"], recursive=True), ["text"], Path("out"))
    with pytest.raises(click.UsageError, match="a file and a folder"):
        plan(expand(["f"], recursive=True), ["text"], Path("out"))


def test_a_file_is_replaced_as_a_whole_or_not_at_all() -> None:
    Path("a.txt").write_text("before")

    def fail() -> None:
        with whole_file(Path("a.txt"), "text") as stream:
            stream.write("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert Path("a.txt").read_text() == "before"
    with whole_file(Path("a.txt"), "text") as stream:
        stream.write("after")
    assert Path("a.txt").read_text() == "after"
    assert list(Path().iterdir()) == [Path("a.txt")]


def test_a_link_is_kept_and_a_pipe_is_written_directly() -> None:
    Path("a.txt").write_text("before")
    Path("link").symlink_to("a.txt")
    with whole_file(Path("link"), "text") as stream:
        stream.write("after")
    assert Path("link").is_symlink()
    assert Path("a.txt").read_text() == "after"
    os.mkfifo("pipe")
    reader = os.open("pipe", os.O_RDONLY | os.O_NONBLOCK)
    with whole_file(Path("pipe"), "text") as stream:
        stream.write("through")
    assert os.read(reader, 100) == b"through"
    os.close(reader)
    assert Path("pipe").is_fifo()


def test_a_file_gets_the_mode_of_the_umask() -> None:
    before = os.umask(0o027)
    try:
        with whole_file(Path("a.txt"), "text") as stream:
            stream.write("x")
    finally:
        os.umask(before)
    assert stat.S_IMODE(Path("a.txt").stat().st_mode) == 0o640
