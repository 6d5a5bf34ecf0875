"""When the tests of the MLX engine run, and when they are left out."""

import sys
from importlib.util import find_spec

from tests.support import mlx_rule


def test_the_tests_of_mlx_run_if_mlx_is_installed(monkeypatch, tmp_path):
    (tmp_path / "mlx").write_text("0\n")
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    assert (mlx_rule.left_out() is None) == (find_spec("mlx") is not None)


def test_the_tests_of_mlx_are_left_out_after_setup_without_mlx(monkeypatch, tmp_path):
    (tmp_path / "mlx").write_text("0\n")
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    monkeypatch.setattr(mlx_rule, "find_spec", lambda _: None)
    assert "make setup MLX=1" in (mlx_rule.left_out() or "")


def test_the_tests_of_mlx_run_if_mlx_is_missing_by_mistake(monkeypatch, tmp_path):
    wanted = tmp_path / "requirements"
    wanted.write_text("# MLX\nmlx>=0.30 ; python_version >= '3'\n")
    monkeypatch.setattr(mlx_rule, "_REQUIREMENTS", wanted)
    monkeypatch.setattr(mlx_rule, "find_spec", lambda _: None)
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    assert mlx_rule.left_out() is None
    wanted.write_text("mlx>=0.30 ; sys_platform == 'plan9'\n")
    assert "no wheels" in (mlx_rule.left_out() or "")
