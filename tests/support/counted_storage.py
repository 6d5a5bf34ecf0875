"""Object storage for tests: local files of fsspec under the protocol counted://, with a log of all downloads.

A line of the log, the file TEST_DOWNLOADS, has the data folder of the process that downloads, and the object's name.
"""

import os
from pathlib import Path
from typing import Any

from fsspec import register_implementation
from fsspec.implementations.local import LocalFileSystem


class CountedFileSystem(LocalFileSystem):
    """Creates missing folders, because object storage has none."""

    protocol = "counted"

    def __init__(self, **options: Any) -> None:
        super().__init__(**{**options, "auto_mkdir": True})

    @classmethod
    def _strip_protocol(cls, path: str) -> str:
        return str(LocalFileSystem._strip_protocol(path.removeprefix("counted://")))

    def get_file(self, path1: str, path2: str, **options: Any) -> None:
        """Download an object."""
        with Path(os.environ["TEST_DOWNLOADS"]).open("a") as log:
            log.write(f"{os.environ.get('OCR_DATA_DIR', '')} {path1.rpartition('/')[2]}\n")
        super().get_file(path1, path2, **options)


register_implementation("counted", CountedFileSystem, clobber=True)
