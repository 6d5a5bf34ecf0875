"""The texts of the web UI in each language: tables in `messages/`, one per language, with the same names."""

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from fastapi import Request

FOLDER = Path(__file__).parent / "messages"
LANGUAGES = ("en", "de")  # the first is used for browsers that want none of them
COOKIE = "ocr_language"  # of people who have chosen a language
# the texts that scripts use, which every page carries
SCRIPTS = (
    "no_connection", "cancel", "submitted", "file_too_large", "copied", "drop_sure", "hits", "hits_more", "no_hits",
    "unloaded", "error_unknown_job", "error_not_found", "page_number", "page_ok", "page_fair", "page_poor",
    "page_claimed", "page_open", "page_failed", "page_cancelled",
)  # fmt: skip


@cache
def texts(language: str) -> Mapping[str, str]:
    """The table of a language."""
    table: dict[str, str] = json.loads((FOLDER / f"{language}.json").read_text(encoding="utf-8"))
    return table


@cache
def error_texts(language: str) -> Mapping[str, str]:
    """What error codes mean to people who use the web UI, whose messages are about the command line and the API.

    A code may be missing.
    """
    table: dict[str, str] = json.loads((FOLDER / "errors" / f"{language}.json").read_text(encoding="utf-8"))
    return table


@cache
def script_texts(language: str) -> Mapping[str, str]:
    """Those of a language that scripts use."""
    errors = {f"error_{code}": text for code, text in error_texts(language).items()}
    return errors | {name: texts(language)[name] for name in SCRIPTS}


def language_of(request: Request) -> str:
    """The language of a request: that of the cookie, else the first of Accept-Language that there is a table for."""
    chosen = request.cookies.get(COOKIE)
    if chosen in LANGUAGES:
        return str(chosen)
    wanted = (
        part.partition(";")[0].strip().lower()[:2] for part in request.headers.get("Accept-Language", "").split(",")
    )
    return next((language for language in wanted if language in LANGUAGES), LANGUAGES[0])
