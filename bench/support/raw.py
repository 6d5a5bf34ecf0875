"""The option `--out FILE`, which many scripts have: the raw numbers as JSON."""

import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any


def add_option(parser: ArgumentParser) -> None:
    """Add `--out` to a parser."""
    parser.add_argument("--out", type=Path, metavar="FILE", help="write the raw numbers to FILE, as JSON")


def write(out: Path | None, numbers: Any) -> None:
    """Write the numbers as JSON, if `--out` was given."""
    if out:
        out.write_text(json.dumps(numbers, indent=1) + "\n")
