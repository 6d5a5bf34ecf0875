"""Where results are written: files in a folder, or standard output."""

import os
import sys
import tempfile
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from io import TextIOBase
from pathlib import Path
from typing import IO, Any, TextIO, cast

import click

from ocrqueue.cli.sources import Entry
from ocrqueue.cli.terminal import for_terminal
from ocrqueue.formats import FORMATS

Files = Mapping[str, Path | None]  # {format: file}; None: standard output
STDOUT = "-"  # the name of standard output, as -o takes it
_FOR_READING = ("text", "markdown")  # formats that a terminal shows, where none is named


def check_format(_context: click.Context, _option: click.Parameter, given: str | Sequence[str]) -> object:
    """A click callback that checks formats and removes duplicates. Raises click.BadParameter."""
    for name in [given] if isinstance(given, str) else given:
        if name not in FORMATS:
            raise click.BadParameter(f"there is no format {name!r}; use any of {', '.join(FORMATS)}")
    return given if isinstance(given, str) else tuple(dict.fromkeys(given))


def destinations(
    entries: Sequence[Entry], formats: Sequence[str], output: str | None, is_one: bool, as_json: bool
) -> list[Files]:
    """Where the formats of each document go, with their folders made.

    `output` is what -o names. `is_one`: the command names one document, not a folder. `as_json`: standard output has
    objects for programs. Raises click.UsageError if the documents cannot go there.
    """
    is_single = is_one and len(formats) == 1
    if output == STDOUT:
        if not is_single:
            raise click.UsageError("-o - is standard output, which takes one document in one format: name a folder")
        if as_json:
            raise click.UsageError("-o - and --json both use standard output: leave one of them out")
        _check_terminal(formats[0])
        return [{formats[0]: None}]
    if output is None and is_single and not as_json and (formats[0] in _FOR_READING or not sys.stdout.isatty()):
        return [{formats[0]: None}]
    if output is not None and _is_file(output):
        planned = [_one_file(entries, formats, Path(output), is_single)]
    else:
        planned = plan(entries, formats, Path(output or ""))
    for parent in {path.parent for paths in planned for path in paths.values() if path}:
        make_folder(parent)
    return planned


def _is_file(output: str) -> bool:
    """Whether -o names a file: with the ending of a format, and not the name of a folder."""
    is_folder = output.endswith(os.sep) or Path(output).is_dir()
    return not is_folder and any(_has_ending(output, name) for name in FORMATS)


def _has_ending(output: str, format: str) -> bool:
    return Path(output).suffix.lower() == f".{FORMATS[format].extension.rpartition('.')[2]}"


def _one_file(entries: Sequence[Entry], formats: Sequence[str], path: Path, is_single: bool) -> Files:
    """The file of one document in one format. Raises click.UsageError if there are more, or it has another's ending."""
    if not is_single:
        raise click.UsageError(f"{path} has the name of a file, which takes one document in one format: name a folder")
    (name,), (entry,) = formats, entries
    if not _has_ending(str(path), name):
        other = next(one for one in FORMATS if _has_ending(str(path), one))
        raise click.UsageError(f"{path} has the ending of {other}, not of {name}: use -f {other}, or another name")
    if entry.path and _same(entry.path) == _same(path):
        raise click.UsageError(f"{path} is the source and would be overwritten; choose another file with -o")
    return {name: path}


def plan(entries: Sequence[Entry], formats: Sequence[str], folder: Path) -> list[Files]:
    """The output files of each document, in its subfolder of `folder`.

    Raises click.UsageError if two files would be the same, or if one is a source or a subfolder.
    """
    sources = {_same(entry.path) for entry in entries if entry.path}
    subfolders = {_same(parent) for entry in entries for parent in _with_parents(folder, entry.subfolder)}
    taken: dict[str, Entry] = {}
    planned: list[Files] = []
    for entry in entries:
        files = {name: folder / entry.subfolder / (entry.stem + FORMATS[name].extension) for name in formats}
        for path in files.values():
            if _same(path) in sources:
                raise click.UsageError(f"{path} is a source and would be overwritten; choose another folder with -o")
            if _same(path) in subfolders:
                raise click.UsageError(f"{path} would be a file and a folder; submit {entry.shown} by itself")
            other = taken.setdefault(_same(path), entry)
            if other is not entry:
                raise click.UsageError(
                    f"{other.shown} and {entry.shown} would both be written to {path}; rename one, or submit it "
                    "apart with another -o"
                )
        planned.append(files)
    return planned


def _with_parents(folder: Path, subfolder: Path) -> list[Path]:
    return [folder / part for part in (subfolder, *subfolder.parents) if part != Path()]


def _same(path: Path) -> str:
    """A string that is the same for all names of a file; macOS ignores case and the encoding of accents."""
    real = os.path.realpath(path)
    return unicodedata.normalize("NFC", real).casefold() if sys.platform == "darwin" else real


def make_folder(folder: Path) -> None:
    """Create a folder if it does not exist. Raises click.UsageError if no files can be written there."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as e:
        raise click.UsageError(f"{folder} cannot be made ({e.strerror}); choose another folder with -o") from e
    if not os.access(folder, os.W_OK | os.X_OK):
        raise click.UsageError(f"{folder} cannot be written to; choose another folder with -o")


@contextmanager
def whole_file(path: Path, format: str) -> Iterator[IO[Any]]:
    """Open a file to write a format; it gets its name only when the block ends without an error. Raises OSError.

    A symbolic link is kept, and its target is replaced. A pipe or a device is opened and written directly.
    """
    path = Path(os.path.realpath(path))
    if path.exists() and not path.is_file():
        with _opened(os.open(path, os.O_WRONLY), format) as stream:
            yield stream
        return
    number, name = tempfile.mkstemp(prefix=".ocr-", dir=path.parent)
    try:
        with _opened(number, format) as stream:
            yield stream
        Path(name).chmod(0o666 & ~_umask())
        Path(name).replace(path)
    finally:
        with suppress(OSError):
            Path(name).unlink()


def _opened(number: int, format: str) -> IO[Any]:
    if FORMATS[format].make:
        return os.fdopen(number, "wb")
    return os.fdopen(number, "w", encoding="utf-8", errors="replace", newline="\n")


def to_stdout(write: Callable[[IO[Any]], object], format: str = "text") -> None:
    """Write to standard output; on a terminal without control characters.

    Raises click.UsageError if the format is binary and standard output is a terminal.
    """
    _check_terminal(format)
    if FORMATS[format].make:
        write(sys.stdout.buffer)
        sys.stdout.buffer.flush()
        return
    write(cast("TextIO", _Terminal(sys.stdout)) if sys.stdout.isatty() else sys.stdout)
    sys.stdout.flush()


def _check_terminal(format: str) -> None:
    """Raise click.UsageError if a format is binary and standard output is a terminal."""
    if FORMATS[format].make and sys.stdout.isatty():
        raise click.UsageError(f"{format} is a binary format that a terminal cannot show; name a file with -o")


class _Terminal(TextIOBase):
    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write a text without control characters."""
        return self._stream.write(for_terminal(text))


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
