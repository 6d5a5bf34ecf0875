"""The code blocks of README.md and docs/, and how tests run them."""

import re
from dataclasses import dataclass
from pathlib import Path

from tests.support.harness import PROJECT

_FENCE = re.compile(
    r"^(?P<indent> *)```(?P<language>\w*)(?P<attributes>[^\n]*)\n(?P<code>.*?)^(?P=indent)```$",
    re.MULTILINE | re.DOTALL,
)
_TITLE = re.compile(r'title="([^"]+)"')


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced code block."""

    page: str  # such as "docs/results.md"
    line: int  # of its first line of code, from 1
    language: str  # "sh", "console", "python", "json" ...
    title: str | None  # name of the file that the code belongs in
    code: str

    @property
    def first(self) -> str:
        """The first line without its comment. Lists in the tests name a block by it."""
        return re.split(r"\s{2,}#", self.code.partition("\n")[0])[0].strip()

    @property
    def where(self) -> str:
        """Page and line, for messages."""
        return f"{self.page}:{self.line}"

    def commands(self) -> list[tuple[str, list[str]]]:
        """(command, lines of output that are shown for it). Only `console` blocks show output."""
        found: list[tuple[str, list[str]]] = []
        for line in self.code.splitlines():
            if self.language == "console" and not line.startswith("$ "):
                found[-1][1].append(line)
            elif line.strip():
                found.append((line.removeprefix("$ "), []))
        return found


def pages() -> list[Path]:
    """README.md and every page of docs/."""
    return [PROJECT / "README.md", *sorted((PROJECT / "docs").rglob("*.md"))]


def blocks(path: Path) -> list[Block]:
    """The code blocks of a page, in order."""
    text = path.read_text()
    found = []
    for match in _FENCE.finditer(text):
        title = _TITLE.search(match["attributes"])
        indent = len(match["indent"])
        code = "".join(line[indent:] for line in match["code"].splitlines(keepends=True))
        line = text.count("\n", 0, match.start("code")) + 1
        found.append(Block(str(path.relative_to(PROJECT)), line, match["language"], title and title[1], code))
    return found


def table_rows(path: Path) -> list[list[str]]:
    """The cells of every row of a page's tables."""
    rows = [line for line in path.read_text().splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", row)[1:-1]] for row in rows]
