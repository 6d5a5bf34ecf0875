"""Random faults with a fixed seed. bench/chaos.py runs the same for any duration."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from bench.chaos import CLASSES, Plan, chaos

SEED = 3
# At least 60 s, and at least one fault of each class.
WITH_ALL = Plan(SEED, lambda faults, seconds: seconds < 60 or faults < len(CLASSES), lease=3)
# Without the reconciler, or without the check of claims, two faults lose pages or count them twice, if each fault
# occurs while all workers read.
BROKEN: dict[str, Any] = {"engine": "steady", "most_pages": 2, "lease": 3, "heal_seconds": 15, "aimed": True}
WITHOUT_RECONCILER = Plan(SEED, lambda faults, _: faults < 2, ["family killed"], reconciler=False, **BROKEN)
UNCHECKED = Plan(SEED, lambda faults, _: faults < 2, ["worker stopped"], outstayed=True, checked=False, **BROKEN)


@pytest.mark.thorough
@pytest.mark.timeout(300)
def test_everything_is_accounted_for_after_each_fault_and_the_run_can_fail() -> None:
    """The three runs are parallel, because they mostly wait."""
    with ThreadPoolExecutor() as pool:
        healthy, lost, doubled = pool.map(chaos, [WITH_ALL, WITHOUT_RECONCILER, UNCHECKED])
    assert healthy == []
    assert any(wrong.startswith("stuck") for wrong in lost)
    assert any(wrong.startswith("counted twice") for wrong in doubled)
