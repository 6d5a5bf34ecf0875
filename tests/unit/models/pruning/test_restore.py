"""Restoring models from the trash; `test_prune` restores every kind of model too."""

import pytest

from ocrqueue.errors import ModelDirectoryError, ModelUnavailable
from tests.support.models import LONG_AGO, RECENT, A, B, Directory, bytes_of, files


def test_restore_of_a_model_that_exists_again(directory: Directory) -> None:
    directory.cached("org/model", pulled=LONG_AGO)
    store = directory.store()
    store.prune()
    directory.cached("org/model", pulled=RECENT)
    with pytest.raises(ModelDirectoryError, match="exists already"):
        store.restore("org/model")
    assert store.trashed()


def test_restore_of_a_whole_repository_that_has_a_new_revision(directory: Directory) -> None:
    old = directory.cached("org/model", A, {**files(), "a": b"a"}, pulled=LONG_AGO)
    was = bytes_of(old)
    store = directory.store()
    store.prune()
    new = directory.cached("org/model", B, {**files(), "b": b"b"}, pulled=RECENT)
    was_new = bytes_of(new)
    store.restore("org/model")
    assert (bytes_of(old), bytes_of(new)) == (was, was_new)
    assert (new.parents[1] / "refs" / "main").read_text() == B


def test_restore_of_an_unknown_model(directory: Directory) -> None:
    with pytest.raises(ModelUnavailable, match="the trash has no model org/model"):
        directory.store().restore("org/model")
