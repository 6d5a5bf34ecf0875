"""The key of a document in the page cache: a digest of all that decides the text of its pages.

Two workers that read a document with the same key get the same text. A worker whose code, settings or libraries differ
has other keys, so it neither serves nor reads the other's pages.
"""

import hashlib
import json
from dataclasses import asdict
from typing import Any

from ocrqueue.engines import Engine, Model, installed
from ocrqueue.ledger import Job
from ocrqueue.limits import Limits
from ocrqueue.options import Options
from ocrqueue.storage.results import SCHEMA
from ocrqueue.storage.spool import PASSWORD, Spool

PIPELINE = 2  # raised whenever our own part of reading changes a text: rendering, text layer, turning, layout
_RENDERERS = ("PyMuPDF", "pillow", "pillow-heif")
# Options that decide no text. The engine and the model do, but are part of `reads_as`.
_NO_MATTER = frozenset({"pages", "engine", "model", "priority", "formats", "fresh", "notify"})


def reads_as(engine: Engine, model: Model, limits: Limits) -> str:
    """A digest of all on a worker's side that decides the text of a page. Empty if the engine has no `fingerprint`.

    Loads nothing: the parent process of a worker announces it.
    """
    fingerprint = getattr(engine, "fingerprint", None)
    if fingerprint is None:
        return ""
    pixels = (limits.max_pixels, limits.max_source_pixels)  # larger pages are scaled down
    ours = [PIPELINE, SCHEMA, *map(installed, _RENDERERS), *pixels]
    return _digest([*ours, engine.name, engine.dpi, fingerprint(), model.name, model.revision])


def cache_key(sha256: str, options: Options, reads_as: str) -> str:
    """The key of the document with this SHA-256, read with these options by a worker with this `reads_as`."""
    return _digest([sha256, {k: v for k, v in asdict(options).items() if k not in _NO_MATTER}, reads_as])


def key_of(job: Job, reads_as: str, spool: Spool) -> str | None:
    """The key of the job's document. None if its pages must be neither kept nor taken.

    That is so if the engine has no `fingerprint`, if the document's bytes were not compared with their SHA-256, and if
    the document has a password (its text must not be stored without that protection). Raises StorageError.
    """
    source = job.source
    if not reads_as or source.sha256 is None or source.bytes is None or spool.exists(job.id, PASSWORD):
        return None
    return cache_key(source.sha256, job.options, reads_as)


def _digest(values: list[Any]) -> str:
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()
