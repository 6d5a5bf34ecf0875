"""The tables of the tests' times."""

from scripts.test_times import Times, table


def test_times_are_summed_by_kind_and_by_file_and_the_rest_of_the_cpu_seconds_is_that_of_the_start() -> None:
    rows = [
        ("tests/unit/layout/test_a.py::test_x[1]", Times(1, 0.5, 1.0)),
        ("tests/unit/layout/test_a.py::test_x[2]", Times(1, 0.25, 1.0)),
        ("tests/integration/test_b.py::test_y", Times(1, 4.0, 9.0)),
    ]
    lines = list(table(rows, whole=7.0))
    assert "| unit | 2 | 0.8 | 2.0 |" in lines
    assert "| integration | 1 | 4.0 | 9.0 |" in lines
    assert "| acceptance | 0 | 0.0 | 0.0 |" in lines
    assert "| start of pytest, collection | | 2.2 | |" in lines
    assert "| all | 3 | 4.8 | 11.0 |" in lines
    assert lines[-3:] == [
        "| integration/test_b.py | 1 | 4.0 | 9.0 |",
        "| unit/layout/test_a.py | 2 | 0.8 | 2.0 |",
        "| 0 others | 0 | 0.0 | 0.0 |",
    ]
