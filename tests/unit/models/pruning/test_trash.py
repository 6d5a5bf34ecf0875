"""When the trash is emptied, and what is restored from it."""

from ocrqueue.models import ModelStore
from ocrqueue.models.settings import ModelSettings
from tests.support.models import DAY, LONG_AGO, NOW, RECENT, A, B, Directory, bytes_of, files


def test_the_trash_is_emptied_by_age(directory: Directory) -> None:
    directory.folder("old_GLM")
    directory.store().prune()
    assert not directory.store(NOW + 6 * DAY).prune().emptied
    dry = directory.store(NOW + 7 * DAY).prune(dry_run=True)
    assert dry.emptied
    assert list(directory.paths.trash.iterdir())
    assert directory.store(NOW + 7 * DAY).prune().emptied == dry.emptied
    assert not list(directory.paths.trash.iterdir())


def test_the_trash_is_emptied_at_once_if_the_disk_is_nearly_full(directory: Directory) -> None:
    directory.folder("old_GLM")
    directory.store().prune()
    tight = ModelStore(ModelSettings(directory.root), lambda: NOW + 60, lambda _: (4, 100))
    assert tight.prune().emptied
    assert not tight.trashed()


def test_emptying_the_trash_leaves_shared_files(directory: Directory) -> None:
    directory.cached("org/model", A, pulled=RECENT)
    new = directory.cached("org/model", B, {**files("org/model"), "b": b"b"}, pulled=RECENT)
    was = bytes_of(new)
    assert directory.store().prune().moved
    directory.store(NOW + 8 * DAY).prune()
    assert not directory.store().trashed()
    assert bytes_of(new) == was


def test_a_model_in_the_trash_is_foreign_if_it_is_pulled_again(directory: Directory) -> None:
    directory.cached("org/model", pulled=LONG_AGO)
    directory.store().prune()
    directory.cached("org/model")  # another tool pulls it again
    assert directory.store().list_local()[0].status == "FOREIGN"
