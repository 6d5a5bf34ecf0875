"""Whether a second reading without a quality of its own is kept."""

from collections.abc import Sequence
from typing import Any

import pytest

from ocrqueue.quality.agreement import is_credible
from ocrqueue.quality.reread import better

TRUE = "The installer asks for the name of the machine and for a password"
FIRST = "The instoller asks fcr the name of tbe machine and for a possword"  # 9 of 13 words
RUSSIAN = "Программа установки спрашивает имя машины и пароль администратора 42"


def page(text: str, quality: float | None = None, layer: str = "", warnings: Sequence[str] = ()) -> dict[str, Any]:
    lines = [("ocr", text), *([("text_layer", layer)] if layer else [])]
    return {
        "engine": "rapidocr",
        "text": "\n".join(text for _, text in lines),
        "lines": [{"text": text, "origin": origin} for origin, text in lines],
        "quality": quality,
        "warnings": [{"code": code, "message": ""} for code in warnings],
    }


@pytest.mark.parametrize(
    ("second", "kept"),
    [
        (TRUE, True),
        (f"# {TRUE.upper()}.", True),  # neither case nor marks count
        ("Read more about how to make the best of your summer in the city of Rome", False),
        (TRUE[: len(TRUE) // 2], False),
        (f"{TRUE}\n" * 3, False),
        ("", False),
        ("---", False),
        (RUSSIAN, True),  # the first engine has taken these letters for others
    ],
    ids=["right", "marked up", "about something else", "half", "three times", "empty", "marks", "another script"],
)
def test_a_reading_is_kept_that_has_the_right_words_in_common_with_the_first(second: str, kept: bool) -> None:
    assert is_credible(page(FIRST, 0.7), page(second)) is kept


def test_a_reading_that_is_not_complete_is_not_kept() -> None:
    assert not is_credible(page("1nsta11 l ,", 0.1), page(TRUE, warnings=["cut_off"]))
    assert not is_credible(page("", 0.0), page(TRUE, warnings=["repetition"]))


def test_any_complete_reading_is_better_than_a_worthless_one() -> None:
    assert is_credible(page("1nsta11 l ,", 0.1), page(TRUE))
    assert is_credible(page("", 0.0), page(TRUE))
    assert not is_credible(page("1nsta11 l ,", 0.1), page(" "))


def test_where_no_spaces_separate_words_characters_count() -> None:
    assert is_credible(page("安装程序会询问机器的名字", 0.7), page("安装程序会询间机器的名字"))
    assert not is_credible(page("安装程序会询问机器的名字", 0.7), page("今天下午的天气非常好啊"))


def test_accents_do_not_count() -> None:
    assert is_credible(
        page("Bc tip theo la chon ngon ngu cua may tinh", 0.7), page("Bước tiếp theo là chọn ngôn ngữ của máy tính")
    )


def test_greek_letters_of_rapidocr_are_not_believed() -> None:
    first, second = (
        page("Eγκαταoταoη τoυ oυστματoς στov υπoλoγιστ", 0.6),
        page("Εγκατάσταση του συστήματος στον υπολογιστή"),
    )
    assert is_credible(first, second)
    assert not is_credible(first | {"engine": "tesseract"}, second)


def test_words_of_the_text_layer_do_not_count() -> None:
    other = "nothing of all this"
    assert not is_credible(page(FIRST, 0.7, layer=TRUE * 3), page(other, layer=TRUE * 3))
    assert is_credible(page(FIRST, 0.7, layer=other), page(TRUE, layer=other))


def test_the_readings_say_which_one_was_kept() -> None:
    facts = {"model": "m", "revision": "1", "seconds": 1.0}
    first, second = page(FIRST, 0.7) | facts, page(TRUE) | facts | {"engine": "mlx-vlm"}
    kept, is_second = better(first, second)
    assert (kept["text"], kept["quality"], is_second) == (TRUE, None, True)
    assert [(r["engine"], r["quality"], r["kept"]) for r in kept["readings"]] == [
        ("rapidocr", 0.7, False), ("mlx-vlm", None, True),
    ]  # fmt: skip
    kept, is_second = better(first, second | {"text": "no"})
    assert (kept["text"], kept["quality"], is_second) == (FIRST, 0.7, False)
