"""The parser for olmOCR's answers: Markdown, and what the model says about the page."""

import re
from collections.abc import Mapping
from dataclasses import replace
from itertools import takewhile

from ocrqueue.engines.mlx.markup.fences import unfenced
from ocrqueue.engines.mlx.markup.lenient_json import Record, read_records
from ocrqueue.engines.mlx.markup.parsed import Parsed
from ocrqueue.engines.mlx.markup.prose import markdown
from ocrqueue.engines.mlx.view import View

_ABOUT = ("primary_language", "is_rotation_valid", "rotation_correction", "is_table", "is_diagram")
_TEXT = "natural_text"
_LINE = re.compile(rf"({'|'.join(_ABOUT)})\s*:\s*([\w, -]{{0,20}})\s*")
_NO_FILE = re.compile(r"!\[([^\[\]]*)\]\(page[\w-]*\.png\)")  # a figure's description, and its place on the page


def olmocr(answer: str, view: View) -> Parsed:
    """olmOCR: Markdown after YAML front matter (since July 2025), or JSON with `natural_text` (earlier models).

    `turn` follows `rotation_correction` if `is_rotation_valid` is false. It counts clockwise in JSON, as the schema of
    the training data says (`openai_response_format_schema`), and counterclockwise in front matter, as the later
    training data and the authors' pipeline do (`RotationAugmentation`, `build_page_query` in allenai/olmocr).
    """
    answer = unfenced(answer)
    if answer.startswith("{"):
        about, content = _from_json(answer)
        turn = _correction(about)
    else:
        about, content = _from_front_matter(answer)
        turn = -_correction(about) % 360
    return replace(markdown(_NO_FILE.sub(r"\1", content), view), turn=turn)


def _from_json(answer: str) -> tuple[Mapping[str, str], str]:
    """What the model says about the page, and its text. An answer with other keys is text."""
    parts = list(read_records(answer, (*_ABOUT, _TEXT)))
    if not any(isinstance(part, Record) and part.fields.keys() & {*_ABOUT, _TEXT} for part in parts):
        return {}, answer
    about: dict[str, str] = {}
    texts = []
    for part in parts:
        if isinstance(part, str):
            texts.append(part)
            continue
        about |= {key: values[0] for key in _ABOUT if (values := part.fields.pop(key, []))}
        texts += [*(text for values in part.fields.values() for text in values), *part.loose]
    return about, "\n\n".join(text for text in texts if text.strip())


def _from_front_matter(answer: str) -> tuple[Mapping[str, str], str]:
    """What the model says about the page, and its text. Lines that say something else belong to the text."""
    first, *lines = answer.split("\n")
    if first.strip() != "---":
        return {}, answer
    front = [(found[1], found[2]) for found in takewhile(bool, map(_LINE.fullmatch, lines)) if found]
    about, rest = dict(front), lines[len(front) :]
    is_cut = len(rest) == 1 and any(name.startswith(rest[0]) for name in (*_ABOUT, "---"))
    if rest[:1] == ["---"] or is_cut:
        return about, "\n".join(rest[1:])
    return about, "\n".join(rest) if about or not rest else answer


def _correction(about: Mapping[str, str]) -> int:
    """The correction in degrees; 0 if the page is upright or the model says something else than it was trained to."""
    given = about.get("rotation_correction", "").strip()
    is_wrong = about.get("is_rotation_valid", "").strip().lower() == "false"
    return int(given) if is_wrong and given in ("90", "180", "270") else 0
