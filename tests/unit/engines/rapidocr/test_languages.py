"""The languages of the recogniser."""

from rapidocr.utils.model_resolver import list_supported_langs
from rapidocr.utils.typings import ModelType, OCRVersion, TaskType

from ocrqueue import languages
from ocrqueue.engines.rapidocr.weights import LANGUAGES, unread


def test_they_are_those_that_rapidocr_lists_but_vietnamese() -> None:
    listed = list_supported_langs(TaskType.REC, OCRVersion.PPOCRV6, ModelType.SMALL)
    known = {languages.parse(name)[0] for name in listed}
    assert known - LANGUAGES == {"vi"}
    assert LANGUAGES - known == {"de-Latf"}


def test_languages_that_it_does_not_read_are_found() -> None:
    assert unread("en-GB+rus+vi-VN+zh-TW") == ["ru", "vi"]
