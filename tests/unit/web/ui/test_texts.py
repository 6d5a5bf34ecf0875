"""The tables of texts: the same names and parts in every language, and no name that nothing uses."""

import re
import string

import pytest

from ocrqueue.errors import CODES
from ocrqueue.models.pruning.audit import Status
from ocrqueue.states import FormatName, JobState, Origin, PageState, WarningCode
from ocrqueue.web.problems import STATUS
from ocrqueue.web.ui.texts import FOLDER, LANGUAGES, error_texts, texts
from ocrqueue.web.ui.texts import SCRIPTS as SCRIPT_NAMES

UI = FOLDER.parent
TEMPLATES = "\n".join(path.read_text() for path in sorted((UI / "templates").glob("*.html")))
SCRIPTS = "\n".join(path.read_text() for path in sorted((UI / "static").glob("*.js")))
CODE = "\n".join(path.read_text() for path in sorted(UI.glob("*.py")))


def parts(text):
    return sorted(name for _, name, _, _ in string.Formatter().parse(text) if name is not None)


def test_there_is_a_table_for_each_language():
    assert {path.stem for path in FOLDER.glob("*.json")} == set(LANGUAGES)


@pytest.mark.parametrize("language", LANGUAGES[1:])
def test_every_language_has_the_same_names_and_parts(language):
    first, other = texts(LANGUAGES[0]), texts(language)
    assert first.keys() == other.keys()
    assert {name: parts(text) for name, text in first.items()} == {name: parts(text) for name, text in other.items()}


# Names whose end is a state, format or origin: t("state_" ~ job.state), t(`page_${page.state}`)
BEGINNINGS = {
    "state_": tuple(JobState),
    "page_": (*PageState, "fair", "poor"),
    "format_": tuple(FormatName),
    "origin_": tuple(Origin),
    "model_": tuple(status.lower() for status in Status),
    "error_": ("unknown_job", "not_found"),
    "warning_": tuple(WarningCode),
}
FAMILIES = {begin + end for begin, ends in BEGINNINGS.items() for end in ends}


def test_every_name_that_is_used_is_in_the_tables():
    used = {*re.findall(r"\bt\(\s*[\"'](\w+)[\"']", TEMPLATES + SCRIPTS), *re.findall(r"\)\[\"(\w+)\"\]", CODE)}
    assert len(used) > 5
    assert ((used - BEGINNINGS.keys()) | FAMILIES) - texts("en").keys() == set()


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_error_of_a_document_or_page_has_words_of_the_ui(language):
    assert CODES - error_texts(language).keys() == {"invalid_options"}  # the message says which option
    assert error_texts(language).keys() <= CODES | STATUS.keys()
    assert error_texts(language).keys() == error_texts(LANGUAGES[0]).keys()


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_error_names_an_option_of_the_command_line(language):
    everything = {**error_texts(language), **{k: v for k, v in texts(language).items() if k.startswith("warning_")}}
    assert [name for name, text in everything.items() if "--" in text or "submit.py" in text] == []


def test_no_text_is_left_over():
    everything = TEMPLATES + SCRIPTS + CODE
    unused = [name for name in texts("en") if not re.search(rf"[\"'`]{name}[\"'`]", everything)]
    assert [name for name in unused if name not in FAMILIES] == []


def test_scripts_get_the_texts_that_they_use():
    used = set(re.findall(r"[\"'](\w+)[\"'][^\n]*?", "".join(re.findall(r"\bt\(([^()]*)", SCRIPTS))))
    families = {name for name in FAMILIES if name.startswith(("page_", "error_"))}
    assert (used & texts("en").keys()) | families == set(SCRIPT_NAMES)
