"""Writing to disk so that a power failure loses nothing."""

import errno
import os
from pathlib import Path


def sync_folder(folder: Path | str) -> None:
    """Write the names in a folder to disk, so that a new or renamed file survives a power failure. Raises OSError."""
    number = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(number)
    except OSError as e:
        if e.errno not in (errno.EINVAL, errno.ENOTSUP):  # some network file systems cannot
            raise
    finally:
        os.close(number)
