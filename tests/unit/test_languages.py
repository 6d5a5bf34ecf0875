"""Names of languages, as users write them."""

import pytest

from ocrqueue import languages
from ocrqueue.client.submission import parse as parse_options
from ocrqueue.errors import InvalidOptions


@pytest.mark.parametrize(
    ("given", "names"),
    [
        ("ru", ("ru",)),
        ("rus", ("ru",)),
        ("de-AT", ("de",)),
        ("ger", ("de",)),
        ("deu+eng", ("de", "en")),
        ("en+eng+en-GB", ("en",)),
        ("pt_BR", ("pt",)),
        ("zh", ("zh",)),
        ("zh-CN", ("zh",)),
        ("zh-TW", ("zh-Hant",)),
        ("cmn-Hant", ("zh-Hant",)),
        ("sr", ("sr",)),
        ("sr-Latn", ("sr-Latn",)),
        ("sr-Cyrl", ("sr",)),
        ("nb", ("no",)),
        ("iw", ("he",)),
        ("grc", ("grc",)),
        ("de-Latf", ("de-Latf",)),
        ("und-Cyrl", ("und-Cyrl",)),
    ],
)
def test_bcp_47_and_iso_639_names_of_a_language_are_one(given: str, names: tuple[str, ...]) -> None:
    assert languages.parse(given) == names
    assert languages.parse("+".join(names)) == names


@pytest.mark.parametrize(
    ("given", "name"), [("german", "de"), ("ch", "zh"), ("chi_tra", "zh-Hant"), ("frk", "de-Latf"), ("ch_sim", "zh")]
)
def test_names_of_other_programs_are_taken_too(given: str, name: str) -> None:
    assert languages.parse(given) == (name,)


@pytest.mark.parametrize("given", ["xx", "und", "mul", "en/ms", "ru+", "+", "Klingonish", "de+q1"])
def test_what_is_no_language_is_refused(given: str) -> None:
    with pytest.raises(InvalidOptions, match="use BCP 47 or ISO 639 names, such as de, rus or zh-Hant") as caught:
        languages.parse(given)
    assert repr(given) in caught.value.message


@pytest.mark.parametrize("given", ["", "+ru", "ru,en", "русский", "xx", "e n", 5, ["ru"]])
def test_what_is_no_language_is_answered_with_the_names_that_are_allowed(given: str) -> None:
    with pytest.raises(InvalidOptions) as caught:
        parse_options({"lang": given})
    assert caught.value.message == (
        f"lang={given!r} is not allowed: use BCP 47 or ISO 639 names, such as de, rus or zh-Hant, and + between "
        "several, as in ru+en"
    )


def test_a_language_has_a_script_and_three_letters() -> None:
    assert {name: languages.script_of(name) for name in ("ru", "sr-Latn", "zh-Hant", "grc", "und-Cyrl")} == {
        "ru": "Cyrl", "sr-Latn": "Latn", "zh-Hant": "Hant", "grc": "Grek", "und-Cyrl": "Cyrl",
    }  # fmt: skip
    assert [languages.alpha3(name) for name in ("ru", "de", "grc", "zh")] == ["rus", "deu", "grc", "zho"]


def test_long_lists_are_shortened() -> None:
    assert languages.shown(["ru", "de"]) == "de, ru"
    assert languages.shown([f"{n:02}" for n in range(50)]).endswith("38, 39 and 10 more")
