"""The order of the files of tests when several processes take them."""

from tests.support.order import mixed


def test_files_that_wait_and_files_that_compute_are_mixed_and_the_last_are_short() -> None:
    waiting = [f"tests/integration/test_web_{n}.py" for n in range(40)]
    engines = [f"tests/integration/test_mlx_{n}.py" for n in range(8)]
    unit = [f"tests/unit/layout/test_{n}.py" for n in range(80)]
    order = mixed([*waiting, *engines, *unit])
    assert sorted(order) == sorted([*waiting, *engines, *unit])
    assert [file for file in order if file in waiting] == waiting  # each kind keeps its order
    for quarter in range(3):
        part = order[quarter * 32 : (quarter + 1) * 32]
        assert {
            sum(file in kind for file in part) >= least for kind, least in ((waiting, 9), (engines, 2), (unit, 18))
        } == {True}
    assert set(order[-8:]) <= set(unit)
