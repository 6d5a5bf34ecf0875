"""The Lua scripts use the states, reasons, kinds and error codes that `ocrqueue.states` and `errors` define."""

import re

import pytest

from ocrqueue import errors, names
from ocrqueue.ledger import scripts
from ocrqueue.ledger.records import PAGE_LETTERS
from ocrqueue.states import DeliveryState, JobState, MessageKind, PageState, Return, WebhookEvent

LUA = "\n".join(scripts.source(name) for name in scripts.NAMES)
CODE = re.sub(r"--.*", "", LUA)  # without comments


def found(*patterns: str) -> set[str]:
    """The first group of every match of these patterns in the scripts."""
    return {match for pattern in patterns for match in re.findall(pattern, CODE)}


def test_the_scripts_use_every_job_state_and_no_other() -> None:
    states = found(r"\bstate\s*[~=]?=\s*'(\w+)'", r"'state', '(\w+)'", r"end_job\('(\w+)'")
    assert states == {*JobState, DeliveryState.PENDING}


def test_the_scripts_use_events_and_states_of_deliveries_that_exist() -> None:
    assert found(r"deliver\([^,]+, '([\w.]+)'") == {WebhookEvent.PAGE_FINISHED}
    assert found(r"arg\(3\) == '(\w+)'") >= {DeliveryState.GONE}
    assert found(r"page_finished\(\w+, '(\w+)'") == {PageState.OK, PageState.FAILED}


def test_the_scripts_know_which_states_are_final() -> None:
    (condition,) = re.findall(r"function has_ended\(\)(.*?)\nend", scripts.source("cancel"), re.DOTALL)
    assert set(re.findall(r"'(\w+)'", condition)) - {"state"} == {s for s in JobState if not s.has_ended}


def test_the_scripts_use_every_page_state() -> None:
    assert found(r"'([a-z])' \.\. lost", r"'\^([a-z])\(%d\+\)") == set(PAGE_LETTERS)
    assert set(PAGE_LETTERS.values()) == set(PageState) - {PageState.OK}  # an ok page is not in the hash


def test_the_scripts_use_every_reason_for_the_return_of_a_claim() -> None:
    assert found(r"\breason\s*[~=]?=\s*'(\w+)'") == set(Return)


def test_the_scripts_send_every_kind_of_message_but_formats_and_images() -> None:
    assert found(r"\bsend\('(\w+)'") == set(MessageKind) - {MessageKind.FORMAT, MessageKind.IMAGE}
    claims = found(r"\b(?:what|kind)\s*[~=]=\s*'(\w+)'", r"let_go\([^,]+, '\w+', '(\w+)'")
    assert claims == {MessageKind.DOCUMENT, MessageKind.PAGE, MessageKind.ASSEMBLE}


def test_a_script_notes_its_own_name_when_it_ends_a_claim() -> None:
    for name in scripts.NAMES:
        own = scripts.source(name).removeprefix(scripts.source("renew").split("-- Extends")[0])
        steps = re.findall(r"(?:let_go|answer_again)\([^,]+, '(\w+)'", own.rpartition("\nend\n-- ")[2])
        assert set(steps) <= {name}


def test_the_scripts_use_known_error_codes() -> None:
    (table,) = re.findall(r"FINAL_CODES = \{(.*?)\}", scripts.source("finish"))
    final = set(re.findall(r"(\w+) = true", table))
    others = found(r"fail_page\([^,]+, [^,]+, '(\w+)'", r"fail_job\((?:arg\(\d\) or )?'(\w+)'", r"\bcode == '(\w+)'")
    assert final == {"corrupt_file", "too_large", "language_missing"}
    assert others == {"worker_lost", "timeout", "internal_error", "storage_error", "model_missing"}
    assert final | others <= errors.CODES
    assert errors.CODES - others >= errors.FINAL_CODES


def test_the_scripts_have_the_version_and_the_channel_of_the_names() -> None:
    assert found(r"local VERSION = (\d+)") == {str(names.VERSION)}
    assert found(r"PUBLISH', '([^']+)' \.\. id") == {names.events_channel("")}
    assert found(r"and '([^']+)' \.\. owner") == {names.owner_key("")}


@pytest.mark.parametrize("name", scripts.NAMES)
def test_no_line_of_a_script_is_longer_than_120_characters(name: str) -> None:
    assert [line for line in scripts.source(name).splitlines() if len(line) > 120] == []
