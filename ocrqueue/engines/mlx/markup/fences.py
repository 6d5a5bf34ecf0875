"""Code blocks between fences of three backticks, in which nothing is a mark of another notation."""

import re
from collections.abc import Callable, Iterator

_FENCE = re.compile(r"(?m)^( {0,3}```[^\n`]*(?:\n|\Z))")
_LANGUAGE = re.compile(r"\s*```[A-Za-z+#.-]*\s*")
_WRAPPERS = ("```markdown", "```md", "```html", "```json", "```text")  # first lines around whole answers


def outside_code(content: str, change: Callable[[str], str]) -> str:
    """Markdown after `change` of what is outside of its code blocks."""
    parts = _FENCE.split(content)  # text, fence, code, fence, text ...
    parts[::4] = map(change, parts[::4])
    return "".join(parts)


def closed(content: str) -> str:
    """Markdown whose last code block is closed, so that what follows the page is no code."""
    return content if len(_FENCE.findall(content)) % 2 == 0 else content.rstrip("\n") + "\n```"


def without_fences(content: str) -> str:
    """Markdown without its fences. Words after a fence stay if they do not look like the name of a language."""
    parts = _FENCE.split(content)
    parts[1::2] = map(_words_after, parts[1::2])
    return "".join(parts)


def code_blocks(content: str) -> Iterator[tuple[str, bool]]:
    """The parts of Markdown in their order, without fences, each with whether it is code."""
    parts = _FENCE.split(content)  # text, fence, code, fence, text ...
    yield parts[0], False
    for index in range(1, len(parts), 2):
        yield _words_after(parts[index]) + parts[index + 1], index % 4 == 1


def _words_after(fence: str) -> str:
    return "" if _LANGUAGE.fullmatch(fence) else fence.lstrip(" `")


def unfenced(answer: str) -> str:
    """An answer without the fences around the whole of it. The closing one may be missing, as in a cut answer."""
    content = answer.strip()
    first, _, rest = content.partition("\n")
    fences = list(_FENCE.finditer(rest))
    last = fences[-1] if fences and fences[-1][0].strip() == "```" else None  # it can only close
    if first.strip() in _WRAPPERS:
        if last and len(fences) % 2:
            rest = rest[: last.start()] + rest[last.end() :]
        return rest.strip()
    if first.strip() == "```" and (not fences or (last and len(fences) == 1 and last.end() == len(rest))):
        return rest[: last.start()].strip() if last else rest.strip()
    return content
