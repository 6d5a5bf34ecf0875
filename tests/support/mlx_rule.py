"""Deselects the tests of the MLX engine if MLX is left out on purpose. Otherwise the tests run.

MLX is left out on purpose after `make setup MLX=0`, which the file `mlx` in the environment records, and on a machine
for which requirements-mlx.txt lists no wheels. In CI neither is the case, so without MLX tests fail.
"""

import sys
from importlib.util import find_spec
from pathlib import Path

from packaging.requirements import Requirement

_REQUIREMENTS = Path(__file__).parents[2] / "requirements-mlx.txt"
_NEEDING = ("test_miniatures", "test_mlx_", "test_model_types")  # how the names of their files begin


def left_out() -> str | None:
    """Why MLX is left out on purpose; None if it is installed, or should be."""
    if find_spec("mlx") is not None:
        return None
    note = Path(sys.prefix) / "mlx"
    if note.is_file() and note.read_text().strip() == "0":
        return "set up without it (MLX=0); `make setup MLX=1` installs it"
    wanted = [Requirement(line) for line in _REQUIREMENTS.read_text().splitlines() if line[:1] not in ("#", "")]
    if not any(r.marker is None or r.marker.evaluate() for r in wanted):
        return "MLX has no wheels for this machine"
    return None


def needs(path: Path) -> bool:
    """Whether a file of tests needs MLX."""
    return path.stem.startswith(_NEEDING)
