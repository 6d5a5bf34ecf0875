"""The next version of this project, as far as others can tell: it writes records and messages of a higher number."""

from ocrqueue import names
from ocrqueue.ledger import scripts

_original = scripts.source


def source(name: str) -> str:
    """A ledger script that writes and reads records of version `names.VERSION`."""
    line = "local VERSION = 2\n"
    assert line in _original(name)
    return _original(name).replace(line, f"local VERSION = {names.VERSION}\n")


def become(version: int) -> None:
    """From now on this process is of that version."""
    names.VERSION = names.FIRST_VERSION = version
    scripts.source = source
