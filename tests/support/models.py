"""Model directories for tests, with the files that huggingface_hub and users create."""

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ocrqueue.models import LocalModel, ModelSettings, ModelStore, Pruning
from ocrqueue.models.files.paths import DirectoryPaths
from ocrqueue.models.files.stamps import write_stamp

NOW = 1_900_000_000.0
DAY = 86_400.0
RECENT, LONG_AGO = NOW - DAY, NOW - 200 * DAY
A, B, C = "a" * 40, "b" * 40, "c" * 40


def safetensors(data: bytes) -> bytes:
    """The content of a complete safetensors file with one tensor."""
    header = json.dumps({"w": {"dtype": "U8", "shape": [len(data)], "data_offsets": [0, len(data)]}}).encode()
    return len(header).to_bytes(8, "little") + header + data


def sparse_safetensors(path: Path, size: int) -> None:
    """Write a sparse safetensors file with `size` bytes of data, which takes no space on disk."""
    header = json.dumps({"w": {"dtype": "U8", "shape": [size], "data_offsets": [0, size]}}).encode()
    with path.open("wb") as file:
        file.write(len(header).to_bytes(8, "little") + header)
        file.truncate(8 + len(header) + size)


def files(salt: str = "", data: int = 1000) -> dict[str, bytes]:
    """The files of a small model: {name: content}. `salt` makes the weights unique; they have `data` bytes."""
    return {
        "config.json": b'{"model_type": "test"}',
        "model.safetensors": safetensors(os.fsencode(salt).ljust(data, b".")),
    }


def etag_of(content: bytes, name: str) -> str:
    """The name that the hub gives to a blob with this content."""
    if name.endswith(".json"):
        return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
    return hashlib.sha256(content).hexdigest()


class Directory:
    """Builds a model directory in the folder `root`."""

    def __init__(self, root: Path) -> None:
        self.root = root
        root.mkdir(exist_ok=True)
        self.paths = DirectoryPaths(root)

    def store(self, now: float = NOW, **settings: Any) -> ModelStore:
        """A store whose clock always shows `now`, on a disk that is half empty."""
        return ModelStore(ModelSettings(self.root, **settings), lambda: now, lambda _: (50, 100))

    def cached(
        self, name: str, revision: str = A, content: Mapping[str, bytes] | None = None, main: bool = True,
        shared: bool = False, pulled: float | None = None, used: float | None = None,
    ) -> Path:  # fmt: skip
        """Create a revision in the layout of the hub; returns the folder of its files.

        `shared`: its weights are in the folder `blobs`, which repositories share.
        """
        top = self.root / f"models--{name.replace('/', '--')}"
        snapshot = top / "snapshots" / revision
        for file, data in (files(name) if content is None else content).items():
            blob = top / "blobs" / etag_of(data, file)
            blob.parent.mkdir(parents=True, exist_ok=True)
            if shared and file.endswith(".safetensors"):
                self._share(blob, data)
            elif not os.path.lexists(blob):
                blob.write_bytes(data)
            link = snapshot / file
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(os.path.relpath(blob, link.parent))
        if main:
            (top / "refs").mkdir(exist_ok=True)
            (top / "refs" / "main").write_text(revision)
        self.stamp(name, revision, pulled=pulled, used=used)
        age(top)
        return snapshot

    def _share(self, blob: Path, data: bytes) -> None:
        store = self.root / "blobs"
        store.mkdir(exist_ok=True)
        (store / ".huggingface-shared-blobs").write_text("1\n")
        key = hashlib.sha256(b"xet" + data).hexdigest()
        payload = store / key[:2] / key
        payload.parent.mkdir(exist_ok=True)
        if not payload.exists():
            payload.write_bytes(data)
        if not os.path.lexists(blob):
            with payload.with_name(f"{key}.refs").open("a") as references:
                references.write(f"{blob.relative_to(self.root)}\n")
            blob.symlink_to(os.path.relpath(payload, blob.parent))

    def folder(self, name: str, content: Mapping[str, bytes] | None = None, **times: float | None) -> Path:
        """Create a model in a plain folder; returns the folder."""
        folder = self.root / name
        for file, data in (files(name) if content is None else content).items():
            (folder / file).parent.mkdir(parents=True, exist_ok=True)
            (folder / file).write_bytes(data)
        self.stamp(name, "folder", **times)
        age(folder)
        return folder

    def stamp(self, name: str, revision: str, **times: float | None) -> None:
        """Set times in the stamp of a model."""
        self.paths.prepare()
        if given := {k: v for k, v in times.items() if v is not None}:
            write_stamp(self.paths, f"{name}@{revision}", **given)


def age(folder: Path, when: float = NOW - 30 * DAY) -> None:
    """Set the time of last change of a folder and everything below it."""
    for path in [*folder.rglob("*"), folder]:
        os.utime(path, (when, when), follow_symlinks=False)


def bytes_of(folder: Path) -> dict[str, bytes]:
    """The content of a model as a reader sees it: {path: content}, links followed."""
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def tree(folder: Path) -> dict[str, str]:
    """All files below a folder as {path: hash}, links as "-> target"; without `.ocr-queue`."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if name.startswith(".ocr-queue"):
            continue
        if path.is_symlink():
            found[name] = f"-> {path.readlink()}"
        elif path.is_file():
            found[name] = hashlib.sha256(path.read_bytes()).hexdigest()
    return found


def one(directory: Directory, **settings: Any) -> LocalModel:
    """The audit of the only model in a directory."""
    (model,) = directory.store(**settings).list_local()
    return model


def moved(done: Pruning) -> list[str]:
    """The models that a prune moved; fails if it could not move a model that it selected."""
    assert not [m for m in done.models if not m.moved], done.models
    return [f"{m.name}@{m.revision[:1]}" for m in done.moved]


def entry_files(directory: Directory) -> Path:
    """The folder `files` of the only entry of the trash."""
    (entry,) = directory.paths.trash.iterdir()
    return entry / "files"
