"""Opens the storage at a URL."""

from pathlib import Path

from ocrqueue.storage.base import Storage
from ocrqueue.storage.local import LocalStorage
from ocrqueue.storage.objects import ObjectStorage
from ocrqueue.storage.s3 import S3Storage


def open_storage(url: str, group: str | None = None) -> Storage:
    """The storage at a folder's path or an fsspec URL; `group` shares a folder's files with a group of users."""
    for prefix in ("file://", "local://"):
        url = url.removeprefix(prefix)
    if url.startswith("s3://"):
        return S3Storage(url)
    if "://" in url:
        return ObjectStorage(url)
    return LocalStorage(Path(url).expanduser().absolute(), group)
