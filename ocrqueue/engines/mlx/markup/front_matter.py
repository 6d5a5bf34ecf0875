"""The parser for olmOCR's answers: Markdown, and what the model says about the page."""

import json
import re
from dataclasses import replace

from ocrqueue.engines.mlx.markup.parsed import Parsed
from ocrqueue.engines.mlx.markup.prose import markdown
from ocrqueue.engines.mlx.view import View

_FRONT = re.compile(r"\A\s*---\n(.*?)\n---(?:\n|\Z)", re.DOTALL)


def olmocr(answer: str, view: View) -> Parsed:
    """olmOCR: Markdown after YAML front matter (since July 2025), or JSON with `natural_text` (earlier models).

    `turn` follows `rotation_correction` if `is_rotation_valid` is false. It counts clockwise in JSON, as the schema of
    the training data says (`openai_response_format_schema`), and counterclockwise in front matter, as the later
    training data and the authors' pipeline do (`RotationAugmentation`, `build_page_query` in allenai/olmocr).
    """
    try:
        fields = json.loads(answer)
        parsed = markdown(str(fields["natural_text"] or ""), view)
    except (ValueError, KeyError, TypeError, RecursionError):
        front = _FRONT.match(answer)
        fields = dict(line.partition(": ")[::2] for line in front[1].splitlines()) if front else {}
        return replace(markdown(_FRONT.sub("", answer, count=1), view), turn=-_correction(fields) % 360)
    return replace(parsed, turn=_correction(fields))


def _correction(fields: dict[str, object]) -> int:
    """The correction in degrees; 0 if the page is upright or the fields are not as documented."""
    given = str(fields.get("rotation_correction")).strip()
    wrong = str(fields.get("is_rotation_valid")).strip().lower() == "false"
    return int(given) if wrong and given in ("90", "180", "270") else 0
