r"""Formulas: every family's LaTeX becomes Markdown's `$...$` in a line and `$$...$$` as a block.

Models write `\(...\)`, `\[...\]`, `$...$` or no delimiters at all. Readers of Markdown know the dollars, and take the
backslash of the others away.
"""

import re

_DELIMITER = re.compile(r"\\\\|\\[()\[\]]")  # `\\` is a line break of LaTeX: `\\[2pt]` opens no formula
_CLOSER = {r"\(": r"\)", r"\[": r"\]"}


def dollars(content: str) -> str:
    r"""Text in which `\(...\)` is `$...$`, and `\[...\]` is `$$...$$`. One delimiter alone stays."""
    pieces: list[str] = []
    opened, opener, end = -1, "", 0  # index of the piece that opens a formula; its text; end of the last delimiter
    for found in _DELIMITER.finditer(content):
        pieces.append(content[end : found.start()])
        end = found.end()
        if found[0] in _CLOSER:
            opened, opener = len(pieces), found[0]
        elif opened >= 0 and found[0] == _CLOSER[opener]:
            inner = "".join(pieces[opened + 1 :])
            if inner.strip() and "$" not in inner and "\n\n" not in inner:
                before = pieces[opened - 1] if opened else ""
                alone = opener == r"\[" and _starts_line(before, opened == 1) and _ends_line(content, end)
                pieces[opened:] = [_delimited(inner.strip(), opener, alone)]
                opened = -1
                continue
            opened = -1
        pieces.append(found[0])
    return "".join([*pieces, content[end:]])


def _starts_line(before: str, is_first: bool) -> bool:
    return before.endswith("\n") or (is_first and not before)


def _ends_line(content: str, end: int) -> bool:
    return content[end : end + 1] in ("", "\n")


def _delimited(latex: str, opener: str, alone: bool) -> str:
    if alone:
        return f"$$\n{latex}\n$$"
    return f"$${latex}$$" if opener == r"\[" else f"${latex}$"


def formula(content: str, in_line: bool = False) -> str:
    """An element that is a formula, as Markdown: delimited as the model did it; else as a block, or for a line."""
    content = dollars(content.strip())
    if not content or "$" in content:
        return content
    for opener in _CLOSER:  # without its closer: the answer is cut
        content = content.removeprefix(opener)
    return f"${content.strip()}$" if in_line else f"$$\n{content.strip()}\n$$"


def bare(content: str) -> str:
    """A text that is one formula and nothing else, without its dollars. Other text is unchanged."""
    for mark in ("$$", "$"):
        inner = content[len(mark) : -len(mark)]
        if content.startswith(mark) and content.endswith(mark) and inner.strip() and "$" not in inner:
            return inner.strip()
    return content
