"""The key of a document in the page cache: a digest of all that decides the text of its pages.

Two workers that read a document with the same key get the same text. A worker whose code, settings or libraries differ
has other keys, so it neither serves nor reads the other's pages.
"""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ocrqueue import languages
from ocrqueue.engines import Engine, Model, installed
from ocrqueue.ledger import Job
from ocrqueue.limits import Limits
from ocrqueue.options import Options
from ocrqueue.storage.results import SCHEMA
from ocrqueue.storage.spool import Spool
from ocrqueue.structure import has_models

LIBRARIES = ("PyMuPDF", "pillow", "pillow-heif", "numpy", "opencv-python-headless", "rapidocr")
# Files and folders of this package whose code decides the text of a page. An engine's own folder is added to them.
READING = (
    "documents",
    "upright",
    "layout",
    "blocks.py",
    "engines/result_check.py",
    "geometry.py",
    "hyphens.py",
    "languages.py",
    "pages.py",
    "quality",
    "steps/read.py",
    "storage/blocks.py",
    "storage/results.py",
    "storage/values.py",
    "vision",
)
# Options that decide no text. The engine and the model do, but are part of `reads_as`.
# `structure` decides no text either: the cache keeps blocks with the text, and says which code found them.
_NO_MATTER = frozenset(
    "pages engine model priority formats structure keep_running_heads fresh notify".split(),
)
_PACKAGE = Path(__file__).parents[1]


def source_digest(package: Path, names: Iterable[str]) -> str:
    """A digest of the files at these names below `package`; a folder counts with all Python and JSON files below it."""
    digest = hashlib.sha256()
    for name in names:
        path = package / name
        for file in sorted([*path.rglob("*.py"), *path.rglob("*.json")]) if path.is_dir() else [path]:
            content = hashlib.sha256(file.read_bytes()).hexdigest()
            digest.update(f"{file.relative_to(package).as_posix()} {content}\n".encode())
    return digest.hexdigest()


# Computed on import: the files may change on disk later, while this process still runs the code that it has loaded.
_READING_CODE = source_digest(_PACKAGE, READING)
_STRUCTURE_CODE = source_digest(_PACKAGE, ["structure", "steps/structure.py"])
_ENGINE_CODE = {  # by module of the engine's package
    f"ocrqueue.engines.{folder.name}": source_digest(_PACKAGE, [f"engines/{folder.name}"])
    for folder in sorted((_PACKAGE / "engines").iterdir())
    if folder.is_dir()
}


def reads_as(engine: Engine, model: Model, limits: Limits) -> str:
    """A digest of all on a worker's side that decides the text of a page. Empty if the engine has no `fingerprint`.

    Loads nothing: the parent process of a worker announces it.
    """
    fingerprint = getattr(engine, "fingerprint", None)
    if fingerprint is None:
        return ""
    pixels = (limits.max_pixels, limits.max_source_pixels)  # larger pages are scaled down
    ours = [_READING_CODE, *_code_of(engine), SCHEMA, *map(installed, LIBRARIES), *pixels]
    return _digest([*ours, engine.name, engine.dpi, fingerprint(), model.name, model.revision])


def _code_of(engine: Engine) -> list[str]:
    """Digests of the code of an engine of this project. The fingerprint of any other engine says what changes it."""
    packages = {base.__module__.rpartition(".")[0] for base in type(engine).__mro__}
    return [_ENGINE_CODE[package] for package in sorted(packages & _ENGINE_CODE.keys())]


def structured_as() -> str:
    """A digest of all on a worker's side that decides the blocks of a page besides its text. Loads nothing."""
    return _digest([_STRUCTURE_CODE, has_models()])


def cache_key(sha256: str, options: Options, reads_as: str) -> str:
    """The key of the document with this SHA-256, read with these options by a worker with this `reads_as`.

    Other names of the same languages make the same key. Raises InvalidOptions for what is no language.
    """
    values = {k: v for k, v in asdict(options).items() if k not in _NO_MATTER}
    return _digest([sha256, values | {"lang": options.lang and languages.parse(options.lang)}, reads_as])


def key_of(job: Job, reads_as: str, spool: Spool) -> str | None:
    """The key of the job's document. None if its pages must be neither kept nor taken.

    That is so if the engine has no `fingerprint`, if the document's bytes were not compared with their SHA-256, and if
    the document has a password (its text must not be stored without that protection). Raises StorageError.
    """
    source = job.source
    if not reads_as or source.sha256 is None or source.bytes is None or spool.has_password(job.id):
        return None
    return cache_key(source.sha256, job.options, reads_as)


def _digest(values: list[Any]) -> str:
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()
