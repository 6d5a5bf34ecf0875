"""An engine whose worker looks for structure as tests want it: a fake `find_blocks`, steered by files of a folder.

The folder is TEST_STRUCTURE. Each look appends the number of its page to the file `looks`. A file `raise-3`, `kill-3`
or `hang-3` makes the look at page 3 fail, end its process, or never end; `hold` makes all looks wait until it is gone.
"""

import os
import signal
import time
from pathlib import Path
from typing import Any

from ocrqueue.blocks import Block, BlockKind
from ocrqueue.pages import PageText
from ocrqueue.steps import structure
from tests.support.engines import Numbered


def find_blocks(_document: Any, number: int, page: PageText, _facts: Any, _image: Any) -> tuple[Block, ...]:
    """A heading for each line, unless a file says something else."""
    folder = Path(os.environ["TEST_STRUCTURE"])
    with (folder / "looks").open("a") as looks:
        looks.write(f"{number} ")
    while (folder / "hold").exists():
        time.sleep(0.02)
    if (folder / f"raise-{number}").exists():
        raise RuntimeError("the test makes the structure fail")
    if (folder / f"kill-{number}").exists():
        (folder / f"kill-{number}").unlink()
        os.kill(os.getpid(), signal.SIGKILL)
    while (folder / f"hang-{number}").exists():
        time.sleep(0.05)
    return tuple(Block(BlockKind.HEADING, line.box, (i,), line.text, level=1) for i, line in enumerate(page.lines))


structure.find_blocks = find_blocks


class Structured(Numbered):
    """Reads numbered pages, in a worker that looks for structure so."""

    name = "structured"
