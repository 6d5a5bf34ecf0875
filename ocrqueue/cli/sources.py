"""The documents of a command: files, folders, URLs and standard input."""

import os
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from ocrqueue.cli.report import say
from ocrqueue.client.submission import AnySource, is_url, url_name

# Files of a folder that are submitted. The worker detects the kind of a file from its first bytes.
EXTENSIONS = frozenset(
    ".pdf .png .jpg .jpeg .jpe .jfif .tif .tiff .bmp .gif .webp .jp2 .j2k .jpx .heic .heif .avif".split()
)
_SHOWN = 5  # skipped files that are named


@dataclass(frozen=True, slots=True)
class Entry:
    """One document of the command."""

    shown: str  # its name in messages
    path: Path | None = None  # of a file
    url: str | None = None
    subfolder: Path = Path()  # of the file, below the folder that was given

    @property
    def given(self) -> AnySource:
        """The source for the client."""
        return self.url or self.path or sys.stdin.buffer

    @property
    def stem(self) -> str:
        """The name of its output files, without extension."""
        if self.url:
            return Path(url_name(self.url).replace("/", "_").replace("\0", "_")).stem or "document"
        return self.path.stem if self.path else "stdin"


def expand(sources: Sequence[str], recursive: bool) -> list[Entry]:
    """The documents that the arguments name; those of a folder are sorted.

    Raises click.UsageError if a file does not exist or cannot be read.
    """
    return [entry for source in sources for entry in _expand(source, recursive)]


def _expand(source: str, recursive: bool) -> Iterator[Entry]:
    path = Path(source)
    if not source:
        raise click.UsageError("a document has no name: name a file, a folder or a URL, or - for standard input")
    if source == "-":
        yield Entry("stdin")
    elif is_url(source):
        yield Entry(re.sub(r"//[^/?#]*@", "//", source), url=source)  # a password is not shown
    elif path.is_dir():
        yield from _folder(path, recursive)
    elif path.exists():
        if not os.access(path, os.R_OK):
            raise click.UsageError(f"{source}: this user cannot read it; change its permissions")
        yield Entry(source, path)
    else:
        raise click.UsageError(f"{source}: there is no such file; give a file, a folder, a URL or -")


def _folder(folder: Path, recursive: bool) -> Iterator[Entry]:
    found: list[Path] = []
    skipped: list[str] = []
    for here, folders, files in os.walk(folder):
        skipped += [f"{Path(here, name)}{os.sep}" for name in sorted(folders) if not recursive or name.startswith(".")]
        folders[:] = [name for name in folders if recursive and not name.startswith(".")]
        for name in files:
            path = Path(here, name)
            taken = not name.startswith(".") and path.suffix.lower() in EXTENSIONS and path.is_file()
            if taken:
                found.append(path)
            else:
                skipped.append(str(path))
    if skipped:
        names = ", ".join(skipped[:_SHOWN])
        more = f" and {len(skipped) - _SHOWN} more" if len(skipped) > _SHOWN else ""
        subfolders = "" if recursive else "; -r reads subfolders, too"
        say(f"{folder}: skipped {names}{more}: only files of a known type that are not hidden are read{subfolders}")
    return (Entry(str(path), path, subfolder=path.parent.relative_to(folder)) for path in sorted(found))
