"""Parameters over HTTP: texts and JSON become the parameters of the client; what the client refuses is refused."""

import re
from urllib.parse import parse_qsl

import pytest

from ocrqueue.errors import InvalidOptions
from ocrqueue.web.intake.parameters import from_json, from_query, from_texts, merged


def test_texts_become_values() -> None:
    given = [("dpi", "200"), ("text-layer", "ignore"), ("fresh", "true"), ("structure", "on"), ("format", "pdf")]
    given += [("formats", "alto, hocr")]
    assert from_texts(given) == {
        "dpi": 200,
        "text_layer": "ignore",
        "fresh": True,
        "structure": True,
        "formats": ["pdf", "alto", "hocr"],
    }


@pytest.mark.parametrize(("text", "value"), [("1", True), ("", True), ("no", False), ("False", False)])
def test_a_flag_is_true_or_false(text: str, value: bool) -> None:
    assert from_texts([("fresh", text)]) == {"fresh": value}


@pytest.mark.parametrize("name", ["password", "webhook-secret", "webhook_secret"])
def test_a_query_has_no_secrets(name: str) -> None:
    with pytest.raises(InvalidOptions, match="appears in the logs of proxies"):
        from_query([("webhook", "https://example.org/"), (name, "secret")])
    assert from_query([("dpi", "100")]) == {"dpi": 100}


def test_json_has_the_same_names() -> None:
    given = {"text-layer": "use", "format": "pdf", "dpi": 100, "webhook": {"url": "https://example.org/"}}
    expected = {"text_layer": "use", "formats": ["pdf"], "dpi": 100, "webhook": {"url": "https://example.org/"}}
    assert from_json(given) == expected


def test_a_webhook_may_come_in_parts() -> None:
    secret = "whsec_" + "A" * 32
    expected = {"webhook": {"url": "https://example.org/", "secret": secret, "events": ["job.*", "page.*"]}}
    texts = [("webhook", "https://example.org/"), ("webhook_secret", secret), ("webhook-events", "job.*,page.*")]
    assert from_texts(texts) == expected
    assert from_texts([*texts[:2], ("webhook_events", "job.*"), ("webhook_events", "page.*")]) == expected
    parts = {"webhook": "https://example.org/", "webhook_secret": secret, "webhook_events": "job.done"}
    assert from_json(parts)["webhook"] == {"url": "https://example.org/", "secret": secret, "events": ["job.done"]}
    for wrong in (texts[1:], [("webhook", '{"url": "https://example.org/"}'), *texts[1:]]):
        with pytest.raises(InvalidOptions, match="belong to a webhook that is a URL"):
            from_texts(wrong)


def test_a_webhook_is_a_url_or_an_object() -> None:
    assert from_texts([("webhook", "https://example.org/")]) == {"webhook": "https://example.org/"}
    given = '{"url": "https://example.org/", "events": ["job.*"]}'
    assert from_texts([("webhook", given)]) == {"webhook": {"url": "https://example.org/", "events": ["job.*"]}}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("colour", "red"),
        ("notify", "task"),
        ("owner", "anna"),
        ("dpi", "many"),
        ("dpi", "99999999999999"),
        ("fresh", "perhaps"),
        ("formats", "docx"),
        ("pages", "3-1"),
        ("key", ""),
        ("name", "x" * 1001),
        ("webhook", "{broken"),
    ],
)
def test_wrong_texts_are_refused(name: str, text: str) -> None:
    with pytest.raises(InvalidOptions, match=name):
        from_texts([(name, text)])


@pytest.mark.parametrize("given", [{"dpi": "200"}, {"fresh": 1}, {"name": 7}, {"key": ["a"]}, {"formats": "docx"}])
def test_wrong_json_is_refused(given: dict[str, object]) -> None:
    with pytest.raises(InvalidOptions):
        from_json(given)


def test_a_password_is_a_text() -> None:
    with pytest.raises(InvalidOptions, match="password"):
        from_json({"password": 1234})


def test_a_plus_that_arrived_as_a_space_joins_languages() -> None:
    assert from_query(parse_qsl("lang=ru+en")) == from_query(parse_qsl("lang=ru%2Ben")) == {"lang": "ru+en"}
    with pytest.raises(InvalidOptions, match=re.escape("lang='ru+' is not allowed")):
        from_query(parse_qsl("lang=ru+"))


def test_nothing_is_given_twice() -> None:
    with pytest.raises(InvalidOptions, match="lang is given twice"):
        from_texts([("lang", "de"), ("lang", "en")])
    with pytest.raises(InvalidOptions, match="text_layer is given twice"):
        from_json({"text-layer": "use", "text_layer": "use"})
    with pytest.raises(InvalidOptions, match="lang is given twice, in the query and in the body"):
        merged({"lang": "de"}, {"lang": "de"})
    assert merged({"lang": "de"}, {"dpi": 100}) == {"lang": "de", "dpi": 100}
