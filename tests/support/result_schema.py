"""The JSON Schema of the result, in the form that tests use."""

import copy
import json
from importlib.resources import files
from typing import Any

from jsonschema import Draft202012Validator


def schema() -> dict[str, Any]:
    """The schema as it is shipped in the package."""
    loaded: dict[str, Any] = json.loads((files("ocrqueue.storage") / "result.schema.json").read_text("utf-8"))
    return loaded


def validator() -> Draft202012Validator:
    """Checks a result against the schema, and allows no field that the schema does not describe."""
    strict = schema()
    Draft202012Validator.check_schema(strict)
    _close(strict)
    return Draft202012Validator(strict, format_checker=Draft202012Validator.FORMAT_CHECKER)


def errors(result: object) -> list[str]:
    """What is wrong with a result, one line for each error."""
    return [f"{error.json_path}: {error.message}"[:300] for error in validator().iter_errors(copy.deepcopy(result))]


def _close(part: object) -> None:
    """Forbid undescribed fields in every described object, except in `options`."""
    if isinstance(part, dict):
        if "properties" in part and "type" in part:
            part["additionalProperties"] = False
        for value in part.values():
            _close(value)
    elif isinstance(part, list):
        for value in part:
            _close(value)
