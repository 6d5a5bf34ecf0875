"""Why a page's structure was found by rules alone."""

from ocrqueue.errors import StorageError
from ocrqueue.steps import structure


def test_the_warning_names_the_reason_and_no_other() -> None:
    """An exception of the search was told as a document that is gone."""
    assert structure._reason(ValueError("max() arg")) == "ValueError: max() arg; see the worker log"
    assert structure._reason(StorageError(structure._GONE)) == "the document is no longer in the spool"
