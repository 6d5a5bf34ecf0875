"""Claims grow while the pages of a job need no engine, and take half a second at most."""

from worker.claim_sizes import MOST, ClaimSizes


def claim(sizes: ClaimSizes, page_seconds: float, job: str = "job", batch: int = 1) -> int:
    """The size of the next claim, whose pages need no engine and take so long each."""
    pages = sizes.of(job, batch)
    sizes.note(job, pages, pages * page_seconds, needed_engine=False)
    return pages


def test_claims_of_quick_pages_double_up_to_a_bound() -> None:
    sizes = ClaimSizes()
    assert [claim(sizes, 0.02) for _ in range(6)] == [1, 2, 4, 8, MOST, MOST]


def test_a_claim_that_needed_the_engine_makes_the_next_one_as_small_as_at_first() -> None:
    sizes = ClaimSizes()
    for _ in range(4):
        claim(sizes, 0.02, batch=2)
    sizes.note("job", 3, 0.1, needed_engine=True)
    assert sizes.of("job", 2) == 2


def test_slower_pages_are_claimed_fewer_at_a_time() -> None:
    sizes = ClaimSizes()
    assert [claim(sizes, 0.1) for _ in range(5)] == [1, 2, 4, 5, 5]
    assert [claim(sizes, 0.4) for _ in range(3)] == [5, 1, 1]
    assert [claim(sizes, 0.0) for _ in range(3)] == [1, 2, 4]


def test_each_job_has_a_size_of_its_own_and_few_are_kept() -> None:
    sizes = ClaimSizes()
    for _ in range(3):
        claim(sizes, 0.02, "first")
    assert sizes.of("second", 1) == 1
    assert sizes.of("first", 1) == 8
    for n in range(100):
        claim(sizes, 0.02, f"other {n}")
    assert sizes.of("first", 1) == 1
    assert sizes.of("other 99", 1) == 2
