"""The parameters of a submission over HTTP. They have the names of the command line, with - or _."""

from collections.abc import Iterable, Mapping
from typing import Any, cast

from ocrqueue.client.submission import Order, Parameters
from ocrqueue.errors import InvalidOptions
from ocrqueue.web.intake import json_text

# `notify` is missing: it sends a message to any task, which only users of the broker may do.
NAMES = ("pages", "lang", "engine", "model", "dpi", "text_layer", "priority", "formats", "structure",
         "keep_running_heads", "fresh",
         "password", "key", "name", "webhook", "webhook_secret", "webhook_events")  # fmt: skip
SECRETS = frozenset({"password", "webhook_secret"})  # not allowed in a query
_LISTS = frozenset({"formats", "webhook_events"})  # of words separated by commas; may be repeated
_BOOLEANS = frozenset({"structure", "keep_running_heads", "fresh"})
_LONGEST = 1000  # characters of a name or key
_FLAGS = {"true": True, "1": True, "yes": True, "on": True, "": True,
          "false": False, "0": False, "no": False, "off": False}  # fmt: skip


def from_texts(pairs: Iterable[tuple[str, str]]) -> Parameters:
    """The parameters of form fields or of a query, as (name, text). Raises InvalidOptions."""
    values: dict[str, Any] = {}
    for given, text in pairs:
        name = _known(given)
        if name in _LISTS:
            values.setdefault(name, []).extend(word.strip() for word in text.split(",") if word.strip())
        elif name in values:
            raise InvalidOptions(f"option {name} is given twice: give it once")
        else:
            values[name] = _parsed(name, text)
    return _checked(values)


def from_query(pairs: Iterable[tuple[str, str]]) -> Parameters:
    """The parameters of a query, like `from_texts`. Raises InvalidOptions, also for a secret."""
    given = list(pairs)
    if secrets := sorted(SECRETS & {name.replace("-", "_") for name, _ in given}):
        raise InvalidOptions(
            f"{secrets[0]} in a URL appears in the logs of proxies: send it as a form field, or in JSON"
        )
    return from_texts(given)


def from_json(given: Mapping[str, Any]) -> Parameters:
    """The parameters of a JSON object. Raises InvalidOptions."""
    values: dict[str, Any] = {}
    for key, value in given.items():
        name = _known(key)
        if name in values:
            raise InvalidOptions(f"option {name} is given twice: give it once")
        values[name] = [value] if name in _LISTS and isinstance(value, str) else value
    return _checked(values)


def merged(first: Parameters, second: Parameters) -> Parameters:
    """The parameters of a query and of a body together. Raises InvalidOptions if both give the same one."""
    if twice := sorted(first.keys() & second.keys()):
        raise InvalidOptions(f"option {twice[0]} is given twice, in the query and in the body: give it once")
    return cast("Parameters", {**first, **second})


def _known(given: str) -> str:
    """The name of a parameter as the client has it. Raises InvalidOptions if there is none."""
    name = given.replace("-", "_")
    name = "formats" if name == "format" else name
    if name not in NAMES:
        raise InvalidOptions(f"unknown option {given[:80]!r}; known are {', '.join(NAMES)}")
    return name


def _parsed(name: str, text: str) -> Any:
    """The value of a text. One that cannot be converted stays a text, which the check refuses."""
    if name in _BOOLEANS:
        return _FLAGS.get(text.lower(), text)
    if name == "webhook" and text.startswith("{"):
        try:
            return json_text.parsed(text)
        except ValueError:
            return text
    if name == "dpi" and text.isascii() and text.isdigit():
        return int(text[:9])
    if name == "lang":
        return text.replace(" ", "+")  # in a query and in most forms, a + means a space
    return text


def _checked(values: dict[str, Any]) -> Parameters:
    for name in ("name", "key"):
        if (value := values.get(name)) is not None and not (isinstance(value, str) and 0 < len(value) <= _LONGEST):
            raise InvalidOptions(f"the {name} must be a text of 1 to {_LONGEST} characters")
    if not isinstance(values.get("password"), str | None):
        raise InvalidOptions("the password must be a text")
    _put_webhook_together(values)
    parameters = cast("Parameters", values)
    Order.parse(parameters)
    return parameters


def _put_webhook_together(values: dict[str, Any]) -> None:
    """Make one webhook of a URL and the parameters `webhook_secret` and `webhook_events`."""
    more = {
        name.removeprefix("webhook_"): values.pop(name)
        for name in NAMES
        if name.startswith("webhook_") and name in values
    }
    if more and not isinstance(values.get("webhook"), str):
        raise InvalidOptions(
            "webhook_secret and webhook_events belong to a webhook that is a URL: give all in one place"
        )
    if more:
        values["webhook"] = {"url": values["webhook"], **more}
