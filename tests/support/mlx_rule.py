"""Where MLX was left out on purpose, its tests are left out too, and that is said; anywhere else they run.

On purpose means: `make setup MLX=0` (noted in the environment's file `mlx`), or a machine that MLX has no wheels for,
as requirements-mlx.txt says. In CI it is neither, so there a missing MLX is a failure.
"""

import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from packaging.requirements import Requirement

_REQUIREMENTS = Path(__file__).parents[2] / "requirements-mlx.txt"
_NEEDING = ("test_mlx_engine", "test_mlx_memory", "test_mlx_worker", "test_mlx_stack")


def left_out() -> str | None:
    """Why MLX is not here on purpose; None where it is here, or should be."""
    if find_spec("mlx") is not None:
        return None
    note = Path(sys.prefix) / "mlx"
    if note.is_file() and note.read_text().strip() == "0":
        return "set up without it (MLX=0); `make setup MLX=1` takes it in"
    wanted = [Requirement(line) for line in _REQUIREMENTS.read_text().splitlines() if line[:1] not in ("#", "")]
    if not any(r.marker is None or r.marker.evaluate() for r in wanted):
        return "MLX has no wheels for this machine"
    return None


def pytest_report_header() -> str | None:
    """Say it before the first test."""
    reason = left_out()
    return f"tests of the MLX engine: left out ({reason})" if reason else None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what needs MLX, as deselected tests."""
    if left_out() is None:
        return
    needing = [item for item in items if Path(item.path).stem in _NEEDING]
    items[:] = [item for item in items if item not in needing]
    config.hook.pytest_deselected(items=needing)
