"""Reading files in full: hashes are compared, and the results are stored."""

import os
from pathlib import Path

import pytest

from tests.support.models import DAY, NOW, RECENT, A, Directory, age, etag_of, files, one


def flip(path: Path) -> None:
    """Change one byte of a file, but neither its size nor its times."""
    about = path.stat()
    with path.open("r+b") as file:
        file.seek(-1, os.SEEK_END)
        file.write(b"!")
    os.utime(path, ns=(about.st_atime_ns, about.st_mtime_ns))


@pytest.mark.parametrize("name", ["model.safetensors", "config.json"])
def test_a_blob_whose_hash_does_not_match(directory: Directory, name: str) -> None:
    content = {**files(), "config.json": b'{"a":[]} '}
    snapshot = directory.cached("org/model", content=content, pulled=RECENT)
    if name == "config.json":
        (snapshot / name).resolve().write_bytes(b'{"b":[]} ')
    else:
        flip((snapshot / name).resolve())
    age(directory.root / "models--org--model")
    assert not one(directory).problems  # no file was read in full
    (model,) = directory.store().audit(verify_after=0).models
    assert model.problems == (f"{name}: its content differs from the hub's (another hash)",)
    assert one(directory).problems == model.problems  # the result was stored


def test_a_hash_is_read_once_a_week(directory: Directory) -> None:
    blob = (directory.cached("org/model", pulled=RECENT) / "model.safetensors").resolve()
    week = 7 * DAY
    assert not directory.store().audit(verify_after=week).models[0].problems
    flip(blob)
    assert not directory.store(NOW + 6 * DAY).audit(verify_after=week).models[0].problems
    assert directory.store(NOW + 7 * DAY).audit(verify_after=week).models[0].problems
    blob.write_bytes(files("org/model")["model.safetensors"])
    assert not one(directory).problems  # the file changed, so the stored result no longer counts


def test_reading_in_full_stops_at_its_time_limit(directory: Directory) -> None:
    blob = (directory.cached("org/model", pulled=RECENT) / "model.safetensors").resolve()
    flip(blob)
    assert not directory.store().audit(verify_after=0, seconds=-1).models[0].problems


def test_the_hash_that_huggingface_hub_stores_in_a_plain_folder(directory: Directory) -> None:
    path = directory.folder("model", used=RECENT)
    content = (path / "model.safetensors").read_bytes()
    note = path / ".cache" / "huggingface" / "download" / "model.safetensors.metadata"
    note.parent.mkdir(parents=True)
    note.write_text(f"{A}\n{etag_of(content, 'x')}\n{NOW - 30 * DAY}\n")
    assert not directory.store().audit(verify_after=0).models[0].problems
    flip(path / "model.safetensors")
    assert directory.store().audit(verify_after=0).models[0].problems
